"""Provenance: what is signed says what it must, and nothing else is believed."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dovetail.packaging.canonical import dump
from dovetail.packaging.provenance import InvalidProvenance, message, read, signed_message

DIGEST = "a" * 64
CHART = b"apiVersion: v2\nname: tiny\nversion: 0.1.0\n"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=40), st.integers(0, 3000))
def test_a_message_reads_back(text: str, length: int) -> None:
    plain = {"name": "tiny", "version": "0.1.0", "description": text, "icon": "data:image/png;base64," + "A" * length}
    signed = message(dump(plain).encode(), "tiny-0.1.0.tgz", DIGEST)
    said = read(signed, "tiny-0.1.0.tgz.prov")
    assert (said.name, said.version, said.digests) == ("tiny", "0.1.0", {"tiny-0.1.0.tgz": DIGEST})
    said.check("tiny-0.1.0.tgz", DIGEST)
    assert yaml.safe_load(signed.split("\n...\n")[0])["icon"] == plain["icon"]
    assert max(len(line) for line in signed.splitlines()) < 2000  # gpg cuts lines off at 20,000


@pytest.mark.parametrize(
    "text",
    [
        "", "a: b", CHART.decode() + "\n...\nfiles: {}\n", CHART.decode() + "\n...\nfiles: {x: md5:1}\n",
        CHART.decode() + "\n...\n[]", "[\n...\n]",
    ],
)  # fmt: skip
def test_what_is_no_provenance(text: str) -> None:
    with pytest.raises(InvalidProvenance):
        read(text, "x.prov")


def test_it_is_about_one_file() -> None:
    said = read(message(CHART, "tiny-0.1.0.tgz", DIGEST), "x")
    with pytest.raises(InvalidProvenance, match=r"about tiny-0\.1\.0\.tgz, not other"):
        said.check("other", DIGEST)
    with pytest.raises(InvalidProvenance, match="not the file that was signed"):
        said.check("tiny-0.1.0.tgz", "b" * 64)


def test_the_message_inside_a_signature() -> None:
    signature = "-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n"
    text = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\na: b\n- - c\n{signature}"
    assert signed_message(text, "x") == "a: b\n- c"
    for broken in ("", text.replace("Hash", "Ha sh"), text.replace("-----BEGIN PGP SIGNATURE-----", "")):
        with pytest.raises(InvalidProvenance):
            signed_message(broken, "x")
