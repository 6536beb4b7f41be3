"""What a gateway worker loads of this room stays small: no Kubernetes client, no hashing, no HTTP framework."""

import subprocess
import sys

PROGRAM = """
import sys
import dovetail.iam.assertions, dovetail.iam.authorizer, dovetail.iam.tokens
heavy = {"aiohttp", "argon2", "starlette", "dovetail.kube", "dovetail.apis", "dovetail.iam.passwords"}
print(sorted(heavy & set(sys.modules)))
"""


def test_workers_load_little() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=50)
    assert done.stdout.strip() == "[]", done.stderr


CONTROL = """
import sys
import dovetail.cli.gateway_control
late = {"ldap3", "pyasn1", "authlib"} | {
    f"dovetail.iam.identity_providers.{name}" for name in ("cas", "certificates", "ldap", "oauth2", "oidc", "web")
}
print(sorted(late & set(sys.modules)))
"""


def test_nothing_of_identity_providers_is_loaded_before_there_is_one() -> None:
    done = subprocess.run([sys.executable, "-c", CONTROL], capture_output=True, text=True, timeout=50)
    assert done.stdout.strip() == "[]", done.stderr
