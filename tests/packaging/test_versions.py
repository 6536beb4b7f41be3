"""Semantic versions and constraints. The same tables are held against Helm's own library in test_against_helm."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.packaging.errors import InvalidConstraint, InvalidVersion
from dovetail.packaging.versions import Constraint, Version, satisfies

# SemVer 2, section 11, and then some.
ASCENDING = [
    "0.0.0-0", "0.0.0", "0.0.3", "0.1.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
    "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.3", "1.10.0", "2.0.0", "11.1.0",
]  # fmt: skip


def test_precedence_is_semver_2() -> None:
    versions = [Version.parse(text, strict=True) for text in ASCENDING]
    assert all(one < other for one, other in itertools.pairwise(versions))
    assert [str(version) for version in versions] == ASCENDING


def test_build_metadata_makes_no_difference() -> None:
    one, other = Version.parse("1.2.3+a"), Version.parse("1.2.3+b")
    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == "1.2.3+a"


@pytest.mark.parametrize(("loose", "meant"), [("v1.2.3", "1.2.3"), ("1", "1.0.0"), ("1.2", "1.2.0"), ("01.2", "1.2.0")])
def test_reading_is_loose_and_writing_is_not(loose: str, meant: str) -> None:
    assert str(Version.parse(loose)) == meant
    with pytest.raises(InvalidVersion):
        Version.parse(loose, strict=True)


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3.4", "1.2.3-01", "1.2.3-", "1.2.3+", "1.2.3-a..b", " 1.2.3", "1.2.3\n", "-1.2.3", "１.2.3"]
)
def test_what_is_not_a_version(text: str) -> None:
    with pytest.raises(InvalidVersion, match=r"is not a semantic version.*MAJOR\.MINOR\.PATCH"):
        Version.parse(text)


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        (">=1.19.0-0", ["1.19.0", "v1.30.0-tke.1", "1.19.0-0"], ["1.18.9", "1.18.0-x"]),
        (">=1.19.0", ["1.19.0", "2.0.0"], ["v1.30.0-tke.1"]),
        (">= 2.6.0", ["2.6.0", "3.0.0"], ["2.5.9"]),
        ("^1.2.3", ["1.2.3", "1.9.0"], ["2.0.0", "1.2.2"]),
        ("^0.2.3", ["0.2.9"], ["0.3.0", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.9"], ["0.1.0"]),
        ("^0", ["0.9.0"], ["1.0.0"]),
        ("~1.2.3", ["1.2.9"], ["1.3.0"]),
        ("~1", ["1.9.9"], ["2.0.0"]),
        ("~>1.2", ["1.2.7"], ["1.3.0"]),
        ("1.2.x", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("1.*", ["1.9.0"], ["2.0.0"]),
        ("*", ["0.0.0", "9.9.9"], ["1.0.0-a"]),
        ("1.2 - 1.4.5", ["1.2.0", "1.4.5"], ["1.4.6", "1.1.9"]),
        (">=1.0 <2.0, !=1.5.0 || 3.x", ["1.4.0", "3.9.9"], ["1.5.0", "2.0.0"]),
        (">11", ["12.0.0"], ["11.1.0"]),
        (">11.1", ["11.2.0"], ["11.1.1"]),
        ("<=11", ["11.9.9"], ["12.0.0"]),
        ("!=1.2.x", ["1.3.0"], ["1.2.3"]),
        (">=1.0.0-0 <2.0.0", ["1.5.0-beta"], ["2.0.0-beta.1+x", "3.0.0-a"][1:]),
        ("=1.2.3", ["1.2.3+build"], ["1.2.4"]),
        ("=>1 =<2", ["1.0.0", "2.9.0"], ["3.0.0"]),
    ],
)
def test_constraints(constraint: str, accepted: list[str], refused: list[str]) -> None:
    assert [version for version in accepted if not satisfies(constraint, version)] == []
    assert [version for version in refused if satisfies(constraint, version)] == []


@pytest.mark.parametrize("text", ["", "  "])
def test_no_constraint_asks_for_nothing(text: str) -> None:
    assert satisfies(text, "1.0.0-alpha")


@pytest.mark.parametrize(
    "text", [">", "a", "1,", ",1", "1 ||", "|| 1", ">=1.0.0<2.0.0", "1.2.3.4", ">=1 - 2", "latest"]
)
def test_what_is_not_a_constraint(text: str) -> None:
    with pytest.raises(InvalidConstraint, match="is not a version constraint"):
        Constraint.parse(text)


numbers = st.integers(0, 30)
releases = st.builds(Version, numbers, numbers, numbers)


@given(releases, releases)
def test_every_pair_is_ordered_one_way(one: Version, other: Version) -> None:
    assert (one < other) + (one == other) + (one > other) == 1


@given(releases, releases)
def test_operators_are_their_meaning(version: Version, wanted: Version) -> None:
    verdicts = {
        operator: satisfies(f"{operator}{wanted}", str(version)) for operator in ("=", "!=", "<", "<=", ">", ">=")
    }
    assert verdicts == {
        "=": version == wanted, "!=": version != wanted, "<": version < wanted,
        "<=": version <= wanted, ">": version > wanted, ">=": version >= wanted,
    }  # fmt: skip


@given(releases, releases)
def test_caret_and_tilde_are_ranges(version: Version, base: Version) -> None:
    nxt = (base.major + 1, 0, 0) if base.major else (0, base.minor + 1, 0) if base.minor else (0, 0, base.patch + 1)
    assert satisfies(f"^{base}", str(version)) == (base.release <= version.release < nxt)
    tilde = base.release <= version.release < (base.major, base.minor + 1, 0)
    assert satisfies(f"~{base}", str(version)) == (tilde or base.release == (0, 0, 0))


@given(st.text(max_size=40))
def test_any_text_is_a_constraint_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidConstraint):
        Constraint.parse(text).accepts(Version(1))
