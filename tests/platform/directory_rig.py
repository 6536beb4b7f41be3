"""A real LDAP server: Debian's slapd as a process of the tests' own, with people, groups, TLS and loose manners.

It takes a DN without a password as an anonymous bind, as RFC 4513 allows and many directories do.
"""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import free_port
from tests.e2e.certificates import Certificate, make_certificate

SUFFIX = "dc=example,dc=org"
MANAGER, MANAGER_PASSWORD = f"cn=admin,{SUFFIX}", "manager-Passw0rd"
ANN_PASSWORD, BOB_PASSWORD = "ann-Passw0rd", "bob-Passw0rd)(uid=*"
_PEOPLE, _GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
_SCHEMAS = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))


@dataclass(frozen=True)
class LdapServer:
    """Where it listens, and what its certificate is signed by."""

    port: int
    tls_port: int
    certificate: Certificate
    elsewhere: socket.socket
    """Where its referral leads: nobody has to come."""

    def provider(self, **more: object) -> dict[str, object]:
        """The settings of a provider: ldaps, verified."""
        return {
            "host": f"ldaps://127.0.0.1:{self.tls_port}", "rootCAData": self.certificate.base64,
            "managerDN": MANAGER, "managerPassword": MANAGER_PASSWORD, "userSearchBase": _PEOPLE,
            "userSearchFilter": "(objectClass=inetOrgPerson)", "loginAttribute": "uid", "mailAttribute": "mail",
            "uidAttribute": "employeeNumber", "readTimeout": 5000, **more,
        }  # fmt: skip

    def with_groups(self) -> dict[str, object]:
        return self.provider(groupSearchBase=_GROUPS, groupMemberAttribute="member", userMemberAttribute="memberOf")

    def modify(self, text: str) -> None:
        """Change the directory, as its manager."""
        command = ["ldapmodify", "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", MANAGER, "-w", MANAGER_PASSWORD]
        subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=20)


def _person(uid: str, number: str, password: str) -> str:
    return (
        f"dn: uid={uid},{_PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid.title()} Example\nsn: Example\n"
        f"mail: {uid}@example.org\nemployeeNumber: {number}\nuserPassword: {password}\n\n"
    )


def _content(referral: int) -> str:
    units = "".join(f"dn: {dn}\nobjectClass: organizationalUnit\nou: {dn[3:9]}\n\n" for dn in (_PEOPLE, _GROUPS))
    return (
        f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n"
        + units + _person("ann", "1001", ANN_PASSWORD) + _person("bob", "1002", BOB_PASSWORD)
        + f"dn: uid=guest,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: guest\ncn: Guest\nsn: Guest\n"
        f"employeeNumber: 9\nuserPassword: {ANN_PASSWORD}\n\n"
        + f"dn: cn=referral,{_PEOPLE}\nobjectClass: referral\nobjectClass: extensibleObject\ncn: referral\n"
        f"ref: ldap://127.0.0.1:{referral}/{SUFFIX}\n\n"
        + "".join(
            f"dn: cn={name},{_GROUPS}\nobjectClass: groupOfNames\ncn: {name}\nmember: uid={member},{_PEOPLE}\n\n"
            for name, member in (("builders", "ann"), ("system:masters", "ann"), ("others", "bob"))
        )
    )  # fmt: skip


@contextlib.contextmanager
def running_slapd(directory: Path) -> Iterator[LdapServer]:
    """slapd, filled, until the end."""
    certificate = make_certificate(directory, "ldap")
    data = directory / "data"
    data.mkdir()
    configuration = directory / "slapd.conf"
    configuration.write_text(
        f"{_SCHEMAS}modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n"
        f"allow bind_anon_cred bind_anon_dn\nTLSCertificateFile {certificate.chain}\n"
        f"TLSCertificateKeyFile {certificate.key}\ndatabase mdb\nmaxsize 10485760\nsuffix {SUFFIX}\n"
        f"rootdn {MANAGER}\nrootpw {MANAGER_PASSWORD}\ndirectory {data}\noverlay memberof\n"
    )
    port, tls_port = free_port(), free_port()
    addresses = f"ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}"
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, (directory / "slapd.log").open("wb") as log:
        elsewhere.setblocking(False)
        process = subprocess.Popen(
            ["/usr/sbin/slapd", "-f", str(configuration), "-h", addresses, "-d", "none"], stdout=log, stderr=log
        )
        server = LdapServer(port, tls_port, certificate, elsewhere)
        try:
            _wait_for(port, process)
            added = _content(elsewhere.getsockname()[1])
            command = ["ldapadd", "-x", "-M", "-H", addresses.split()[0], "-D", MANAGER, "-w", MANAGER_PASSWORD]
            subprocess.run(command, input=added, text=True, check=True, capture_output=True, timeout=20)
            yield server
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(400):
        assert process.poll() is None, "slapd ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("slapd does not listen")
