"""The authorization matrix in the suite: all of it, and the fuzzer with few requests; `make authz-matrix` has more."""

from tests.e2e.authz_matrix.callers import CALLERS, Tenants
from tests.e2e.authz_matrix.endpoints import Endpoint, documents, endpoints
from tests.e2e.authz_matrix.fuzz import fuzz
from tests.e2e.authz_matrix.matrix import check, judge, unjudged
from tests.e2e.authz_matrix.table import read_table


def test_every_endpoint_as_every_caller(tenants: Tenants) -> None:
    served = endpoints(documents(tenants))
    outcome = check(tenants, served, read_table())
    assert not outcome.violations, "\n".join(outcome.violations)
    assert outcome.endpoints > 250
    assert outcome.checked == len(served) * len(CALLERS)


def test_made_up_requests_find_no_error_and_no_leak(tenants: Tenants) -> None:
    tried = fuzz(tenants, documents(tenants), examples=1, every=6)
    assert tried.violations == []
    assert tried.sent > 200


def test_an_endpoint_without_a_verdict_is_told_and_so_is_an_idle_line() -> None:
    table = read_table("sets: {}\nverdicts: [{'GET /a/*': anonymous}, {'WRITE /b/{}/** @ours': []}]")
    assert unjudged([Endpoint("GET", "/a/{x}"), Endpoint("PUT", "/b/{x}/c", "theirs")], table) == [
        "PUT /b/{x}/c @theirs: the table has no verdict",
        "WRITE /b/{}/** @ours: no endpoint is decided by this line",
    ]


def test_answers_are_judged() -> None:
    fine = {"names_them": False}
    assert judge(200, "", "regular", True, **fine) == ""
    assert judge(404, "", "regular", True, **fine) == ""
    assert judge(403, "", "regular", False, **fine) == ""
    assert judge(401, "", "anonymous", False, **fine) == ""
    for code, caller, may in ((403, "regular", True), (404, "regular", False), (403, "anonymous", False),
                              (500, "regular", True), (503, "regular", False)):  # fmt: skip
        assert judge(code, "", caller, may, **fine), (code, caller, may)
    assert judge(200, "zebrafish", "regular", True, **fine)
    assert judge(200, "zebrafish", "regular", True, names_them=True) == ""
    assert judge(200, "zebrafish", "platform-admin", True, **fine) == ""
