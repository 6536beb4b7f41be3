"""Nobody grants what he does not hold."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.iam.attributes import parse
from dovetail.iam.authorizer import decide
from dovetail.iam.escalation import uncovered
from dovetail.iam.policy import Identity, Policy, Rule

EVERYTHING = (Rule(verbs=("*",), api_groups=("*",), resources=("*",)), Rule(verbs=("*",), non_resource_urls=("*",)))
USERS = Rule(verbs=("create", "get"), api_groups=("iam.kubesphere.io",), resources=("users",))

ONE_USER = Rule(verbs=("get",), api_groups=USERS.api_groups, resources=("users",), resource_names=("a",))
BELOW_A = Rule(verbs=("*",), non_resource_urls=("/a/*",))


@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        (EVERYTHING, EVERYTHING, True),
        ((USERS,), EVERYTHING, False),
        ((), (), True),
        ((USERS,), (), True),
        ((USERS,), (USERS,), True),
        ((USERS,), (Rule(verbs=("delete",), api_groups=USERS.api_groups, resources=("users",)),), False),
        ((USERS,), (Rule(verbs=("get",), api_groups=USERS.api_groups, resources=("users/password",)),), False),
        ((USERS,), (ONE_USER,), True),
        ((BELOW_A,), (Rule(verbs=("GET",), non_resource_urls=("/a/b",)),), True),
        ((BELOW_A,), (Rule(verbs=("GET",), non_resource_urls=("/*",)),), False),
        ((Rule(verbs=("get",), non_resource_urls=("/a",)),), (Rule(verbs=("GET",), non_resource_urls=("/a",)),), True),
    ],
)  # fmt: skip
def test_examples(held: tuple[Rule, ...], wanted: tuple[Rule, ...], covered: bool) -> None:
    assert (not uncovered(held, wanted)) is covered


def test_one_named_object_is_not_all() -> None:
    named = Rule(verbs=("get",), api_groups=("",), resources=("secrets",), resource_names=("a",))
    every = Rule(verbs=("get",), api_groups=("",), resources=("secrets",))
    assert uncovered((named,), (every,)) == (every,)


@pytest.mark.parametrize("name", ["", "-", "--", "*"])
def test_no_name_stands_for_all_names(name: str) -> None:
    named = Rule(verbs=("get",), api_groups=("",), resources=("secrets",), resource_names=(name,))
    every = Rule(verbs=("get",), api_groups=("",), resources=("secrets",))
    assert uncovered((named,), (every,)) == (every,)
    assert uncovered((named,), (named,)) == ()


def test_a_rule_that_is_too_much_to_look_at_is_not_covered() -> None:
    """A thousand verbs by a thousand groups by a thousand resources would take an hour."""
    words = tuple(f"w{number}" for number in range(1000))
    huge = Rule(verbs=words, api_groups=words, resources=words)
    viewer = Rule(verbs=("get", *words[:999]), api_groups=words, resources=("*",))
    begun = time.process_time()
    assert uncovered((USERS, viewer), (huge, USERS, huge)) == (huge, huge)
    assert uncovered(EVERYTHING, (huge,)) == ()
    assert uncovered((viewer, huge), (huge,)) == ()
    assert time.process_time() - begun < 5


WORDS = st.lists(st.sampled_from(["get", "list", "pods", "g", "*", "pods/log", "*/log"]), max_size=3).map(tuple)
RULES = st.builds(
    Rule, verbs=WORDS, api_groups=WORDS, resources=WORDS,
    resource_names=st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True).map(tuple),
    non_resource_urls=st.lists(st.sampled_from(["/a", "/a/*", "*"]), max_size=2).map(tuple),
)  # fmt: skip
MANY = st.lists(RULES, max_size=4).map(tuple)
PATHS = st.sampled_from(
    ["/apis/g/v1/pods", "/apis/g/v1/pods/x", "/apis/g/v1/pods/x/log", "/apis/h/v1/pods/y", "/a", "/a/b"]
)
ME = Identity(name="me")


@settings(max_examples=500)
@given(MANY, MANY, st.sampled_from(["GET", "DELETE"]), PATHS)
def test_what_is_covered_allows_nothing_new(
    held: tuple[Rule, ...], wanted: tuple[Rule, ...], method: str, path: str
) -> None:
    """The point of it all: if a role may be granted, its holder can do nothing the granter cannot."""
    lacking = uncovered(held, wanted)
    asked = parse(method, path)
    before = decide(Policy(roles={"r": held}, user_roles={"me": ("r",)}), ME, asked).allowed
    after = decide(Policy(roles={"r": wanted}, user_roles={"me": ("r",)}), ME, asked).allowed
    if not lacking:
        assert before or not after


@given(MANY)
def test_everybody_covers_himself(rules: tuple[Rule, ...]) -> None:
    assert not uncovered(rules, rules)
    assert not uncovered(EVERYTHING, rules)
