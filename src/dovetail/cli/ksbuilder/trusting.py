"""Whether a package may be believed on its way: its provenance names it, and, where it is demanded, is signed.

A provenance that comes along must be this archive's in any case; `--verify` demands that there is one and that somebody
in the keyring signed it.
"""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from dovetail.cli.ksbuilder import signing
from dovetail.cli.ksbuilder.errors import NotSigned
from dovetail.cli.ksbuilder.places import Parcel
from dovetail.packaging import provenance
from dovetail.packaging.package import Package


@dataclass(frozen=True, slots=True)
class Trust:
    """What is demanded."""

    verify: bool = False
    keyring: Path | None = None

    def check(self, package: Package, parcel: Parcel) -> None:
        """Raises NotSigned, SigningFailed, InvalidProvenance."""
        what = f"{package.name} {package.version}"
        if not parcel.provenance:
            if self.verify:
                raise NotSigned(what, "it has no provenance")
            return
        name = f"{package.name}-{package.version}.tgz"
        if self.verify:
            asyncio.run(signing.verify(name, parcel.data, parcel.provenance, keyring=self.keyring))
            return
        text = provenance.signed_message(parcel.provenance.decode("utf-8", "replace"), f"{name}.prov")
        provenance.read(text, f"{name}.prov").check(name, parcel.digest)


def trust_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options `--verify` and `--keyring`; the command gets them as `trust`."""

    @click.option("--verify", is_flag=True, help="Demand a provenance that somebody in the keyring signed.")
    @click.option(
        "--keyring", type=click.Path(exists=True, path_type=Path), help="The public keys.  [default: gpg's own]"
    )
    @functools.wraps(command)
    def with_trust(*args: Any, verify: bool, keyring: Path | None, **kwargs: Any) -> None:
        command(*args, trust=Trust(verify, keyring), **kwargs)

    return with_trust
