"""Whether a package was signed by somebody whose key a repository trusts.

A .prov file says which chart and which bytes were signed (`dovetail.packaging.provenance`); that the signature is good
is verified by Helm in its worker, as `helm verify` does.
"""

import hashlib

from dovetail.helm import HelmError, HelmRefused, HelmWorker, Verify
from dovetail.lifecycle.errors import DigestMismatch, PackageUnavailable, Unsigned
from dovetail.lifecycle.sources import Parcel
from dovetail.packaging.errors import PackagingError


async def verify(helm: HelmWorker, parcel: Parcel, name: str, version: str, where: str, keyring: bytes) -> str:
    """Who signed this version of this package. Raises Unsigned, DigestMismatch, PackageUnavailable."""
    from dovetail.packaging import provenance

    file = f"{name}-{version}.tgz"
    try:
        text = parcel.provenance.decode("utf-8", "replace")
        said = provenance.read(provenance.signed_message(text, f"{file}.prov"), f"{file}.prov")
    except PackagingError as error:
        raise Unsigned(where, str(error)) from error
    actual = hashlib.sha256(parcel.data).hexdigest()
    if (said.name, said.version) != (name, version) or file not in said.digests:
        raise Unsigned(where, f"its signature is for {said.name} {said.version}, not for {name} {version}")
    if said.digests[file] != actual:
        raise DigestMismatch(where, said.digests[file], actual)
    try:
        answer = await helm.call(Verify(file=file, archive=parcel.data, provenance=parcel.provenance, keyring=keyring))
    except HelmRefused as refused:
        raise Unsigned(where, refused.detail) from refused
    except HelmError as error:
        raise PackageUnavailable(where, f"its signature could not be verified: {error}") from error
    return ", ".join(answer["signed_by"])
