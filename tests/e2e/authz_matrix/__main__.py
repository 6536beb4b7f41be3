"""`python -m tests.e2e.authz_matrix [--examples N]`: the matrix and the fuzzer; the last line is one JSON object."""

import argparse
import json
import sys

from tests.e2e.authz_matrix.callers import make_tenants
from tests.e2e.authz_matrix.endpoints import documents, endpoints
from tests.e2e.authz_matrix.fuzz import fuzz
from tests.e2e.authz_matrix.matrix import check
from tests.e2e.authz_matrix.table import read_table
from tests.e2e.running import Up


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=4, help="requests that schemathesis makes up for an endpoint")
    examples = parser.parse_args().examples
    platform = Up(options=("--workers", "2"))
    try:
        tenants = make_tenants(platform)
        served = documents(tenants)
        outcome = check(tenants, endpoints(served), read_table())
        tried = fuzz(tenants, served, examples)
    finally:
        platform.finish()
    for violation in (*outcome.violations, *tried.violations):
        print(violation)
    summary = outcome.summary()
    summary["violations"] += len(tried.violations)
    print(json.dumps({**summary, "made_up": tried.sent}))
    return 1 if summary["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
