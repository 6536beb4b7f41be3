"""LDAP against a real slapd: who gets in, and each way that does not lead in."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovetail.iam.identity_providers.ldap import Ldap
from dovetail.iam.identity_providers.provider import NotProven, Person, ProviderFailed
from dovetail.iam.identity_providers.settings import ProviderSettings
from dovetail.iam.labelled_secrets import UnusableConfiguration

from .directory_rig import ANN_PASSWORD, BOB_PASSWORD, LdapServer, running_slapd


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapServer]:
    with running_slapd(Path(tmp_path_factory.mktemp("slapd"))) as server:
        yield server


def of(provider: dict[str, object]) -> Ldap:
    return Ldap(ProviderSettings("corp", "LDAPIdentityProvider", provider=provider))


async def test_the_directory_says_who_it_is(slapd: LdapServer) -> None:
    ann = Person("1001", "ann", "ann@example.org", "Ann Example", ("builders", "system:masters"))
    assert await of(slapd.with_groups()).authenticate("ann", ANN_PASSWORD) == ann
    assert await of(slapd.with_groups()).authenticate("ANN", ANN_PASSWORD) == ann
    bob = await of(slapd.provider()).authenticate("bob", BOB_PASSWORD)
    assert (bob.subject, bob.groups) == ("1002", None)


async def test_what_does_not_lead_in(slapd: LdapServer) -> None:
    ldap = of(slapd.provider())
    for login, password in (
        ("ann", BOB_PASSWORD), ("ann", ""), ("", ANN_PASSWORD), ("nobody", ANN_PASSWORD), ("*", ANN_PASSWORD),
        ("ann)(uid=*", ANN_PASSWORD), ("a*n", ANN_PASSWORD), ("*)(|(uid=ann", ANN_PASSWORD), ("ann\0", ANN_PASSWORD),
        ("ann", "\0"), ("ann\\2a", ANN_PASSWORD), ("guest", ANN_PASSWORD), ("u" * 300, ANN_PASSWORD),
        ("uid=ann,ou=people,dc=example,dc=org", ANN_PASSWORD), (")(objectClass=*", ANN_PASSWORD),
    ):  # fmt: skip
        with pytest.raises(NotProven, match="the user name or the password is wrong"):
            await ldap.authenticate(login, password)
    with pytest.raises(BlockingIOError):  # nobody followed the referral
        slapd.elsewhere.accept()


def test_the_directory_would_have_taken_an_empty_password(slapd: LdapServer) -> None:
    """So that the refusal above is ours, and not the directory's."""
    dn = "uid=ann,ou=people,dc=example,dc=org"
    command = ["ldapwhoami", "-x", "-H", f"ldap://127.0.0.1:{slapd.port}", "-D", dn, "-w", ""]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "anonymous"


async def test_certificates_are_verified(slapd: LdapServer) -> None:
    plain = f"127.0.0.1:{slapd.port}"
    started = await of(slapd.provider(host=plain, startTLS=True)).authenticate("ann", ANN_PASSWORD)
    assert started.subject == "1001"
    for more in ({"rootCAData": ""}, {"rootCAData": "", "host": plain, "startTLS": True}):
        with pytest.raises(ProviderFailed) as failed:
            await of(slapd.provider(**more)).authenticate("ann", ANN_PASSWORD)
        assert "certificate" in failed.value.problem.lower()
        assert ANN_PASSWORD not in failed.value.problem
    unverified = of(slapd.provider(rootCAData="", insecureSkipVerify=True))
    assert (await unverified.authenticate("ann", ANN_PASSWORD)).subject == "1001"


async def test_a_directory_that_is_not_well(slapd: LdapServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ProviderFailed):
            await of(slapd.provider(host=host, readTimeout=1000)).authenticate("ann", ANN_PASSWORD)
    for more in ({"managerPassword": "wrong"}, {"userSearchBase": "dc=nowhere"}, {"host": host}):
        with pytest.raises(ProviderFailed) as failed:
            await of(slapd.provider(**more)).authenticate("ann", ANN_PASSWORD)
        assert "wrong" not in str(failed.value)
    several = {"uidAttribute": "uid"}
    slapd.modify("dn: uid=bob,ou=people,dc=example,dc=org\nchangetype: modify\nadd: uid\nuid: robert\n")
    with pytest.raises(ProviderFailed):
        await of(slapd.provider(**several)).authenticate("bob", BOB_PASSWORD)


@pytest.mark.parametrize("wrong", [
    {"host": "http://x"}, {"host": ""}, {"host": "x:port"}, {"userSearchBase": ""}, {"userSearchFilter": "uid=*)(a=b"},
    {"managerPassword": ""}, {"readTimeout": -5}, {"readTimeout": "15000"}, {"rootCAData": "bm90IGEgY2VydA=="},
    {"startTLS": "yes"},
])  # fmt: skip
def test_settings_that_are_left_out(wrong: dict[str, object]) -> None:
    good: dict[str, object] = {"host": "x:389", "userSearchBase": "dc=x", "managerDN": "cn=a", "managerPassword": "b"}
    of(good)
    with pytest.raises(UnusableConfiguration):
        of({**good, **wrong})
