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
