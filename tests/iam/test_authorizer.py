"""Decisions: the rules of reference 1.7 against a slow, obvious reference, and what holds for every policy."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.iam.attributes import Attributes, parse
from dovetail.iam.authorizer import Authorizer, decide
from dovetail.iam.policy import Account, Held, Identity, Policy, Rule
from dovetail.iam.rules import Grant, Grants

ALICE = Identity(name="alice", uid="1")


def policy(*rules: Rule, user: str = "alice") -> Policy:
    return Policy(roles={"r": rules}, user_roles={user: ("r",)})


def allowed(given_policy: Policy, method: str, path: str, who: Identity = ALICE) -> bool:
    return decide(given_policy, who, parse(method, path)).allowed


ADMIN = policy(Rule(verbs=("*",), api_groups=("*",), resources=("*",)), Rule(verbs=("*",), non_resource_urls=("*",)))
VIEWER = policy(Rule(verbs=("get", "list", "watch"), api_groups=("*",), resources=("*",)))


def test_nobody_may_do_anything_without_a_role() -> None:
    for path in ("/api/v1/pods", "/kapis/greeter.dovetail.dev/v1alpha1/greetings", "/version", "/"):
        decision = decide(Policy(), ALICE, parse("GET", path))
        assert not decision.allowed
        assert "alice" in decision.reason


def test_the_refusal_reads_as_kubernetes_does() -> None:
    decision = decide(Policy(), ALICE, parse("GET", "/apis/apps/v1/namespaces/n/deployments/d/scale"))
    assert decision.reason == (
        'User "alice" cannot get resource "deployments/scale" in API group "apps" in the namespace "n"'
    )
    assert decide(Policy(), ALICE, parse("GET", "/version")).reason == 'User "alice" cannot get path "/version"'


@pytest.mark.parametrize("path", ["/api/v1/pods", "/", "/kapis/x/v1/y/z/w", "/clusters/m/api/v1/nodes", "/version"])
def test_an_administrator_may_do_everything(path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS", "BREW"):
        assert allowed(ADMIN, method, path)


def test_not_even_an_administrator_passes_an_ambiguous_path() -> None:
    for path in ("/api/v1/../secrets", "/api/v1/namespaces%2Fx", "//api/v1/secrets"):
        assert not allowed(ADMIN, "GET", path)


def test_a_viewer_gets_no_shell() -> None:
    assert allowed(VIEWER, "GET", "/api/v1/namespaces/n/pods/p")
    assert allowed(VIEWER, "GET", "/api/v1/namespaces/n/pods/p/log")
    for sub in ("exec", "attach", "portforward", "proxy"):
        assert not allowed(VIEWER, "GET", f"/api/v1/namespaces/n/pods/p/{sub}")
    assert not allowed(VIEWER, "GET", "/api/v1/namespaces/n/services/s/proxy/x")
    assert not allowed(VIEWER, "GET", "/api/v1/proxy/namespaces/n/pods/p")
    assert not allowed(VIEWER, "POST", "/api/v1/watch/pods")


@pytest.mark.parametrize(
    ("resource", "path", "expected"),
    [
        ("pods", "/api/v1/pods/p", True), ("pods", "/api/v1/pods/p/log", False),
        ("pods/log", "/api/v1/pods/p/log", True), ("*/log", "/api/v1/pods/p/log", True),
        ("*/log", "/api/v1/pods/p", False), ("*", "/api/v1/pods/p/log", True),
        ("pods/*", "/api/v1/pods/p/log", False),
    ],
)  # fmt: skip
def test_resources_and_subresources(resource: str, path: str, expected: bool) -> None:
    held = policy(Rule(verbs=("get",), api_groups=("",), resources=(resource,)))
    assert allowed(held, "GET", path) is expected


def test_resource_names_bind() -> None:
    held = policy(Rule(verbs=("*",), api_groups=("",), resources=("secrets",), resource_names=("mine",)))
    assert allowed(held, "GET", "/api/v1/namespaces/n/secrets/mine")
    assert not allowed(held, "GET", "/api/v1/namespaces/n/secrets/yours")
    assert not allowed(held, "GET", "/api/v1/namespaces/n/secrets")
    assert not allowed(held, "POST", "/api/v1/namespaces/n/secrets")


def test_paths_match_exactly_or_by_prefix_with_either_spelling_of_the_method() -> None:
    held = policy(Rule(verbs=("GET",), non_resource_urls=("/static/*", "/version")))
    assert allowed(held, "GET", "/static/a/b")
    assert allowed(held, "HEAD", "/version")
    assert not allowed(held, "POST", "/version")
    assert not allowed(held, "GET", "/versions")
    assert not allowed(held, "GET", "/static")
    assert not allowed(held, "GET", "/static/..%2fsecret")


def test_a_rule_for_paths_gives_no_resources_and_the_other_way_round() -> None:
    mixed = policy(Rule(verbs=("GET",), non_resource_urls=("*",), api_groups=("",), resources=("pods",)))
    assert not allowed(mixed, "GET", "/api/v1/pods/p")
    assert not allowed(VIEWER, "GET", "/version")


def test_groups_are_the_identity_s_and_everybody_is_in_one() -> None:
    rule = Rule(verbs=("get",), api_groups=("g",), resources=("x",))
    for group in ("team", "system:authenticated"):
        held = Policy(roles={"r": (rule,)}, group_roles={group: ("r",)})
        assert allowed(held, "GET", "/apis/g/v1/x/1", Identity(name="alice", groups=("team",)))
        assert not allowed(held, "GET", "/apis/g/v1/x/1", Identity(name="system:anonymous"))
    strangers = Policy(roles={"r": (rule,)}, group_roles={"system:unauthenticated": ("r",)})
    assert allowed(strangers, "GET", "/apis/g/v1/x/1", Identity(name="system:anonymous"))
    assert not allowed(strangers, "GET", "/apis/g/v1/x/1")


def test_the_own_account_under_kapis_only() -> None:
    base = "/iam.kubesphere.io/v1beta1/users"
    assert allowed(Policy(), "GET", f"/kapis{base}/alice")
    assert allowed(Policy(), "PUT", f"/kapis{base}/alice/password")
    for method, path in [
        ("PUT", f"/kapis{base}/alice"), ("GET", f"/kapis{base}/bob"), ("PUT", f"/kapis{base}/bob/password"),
        ("GET", f"/apis{base}/alice"), ("PUT", f"/apis{base}/alice/password"), ("DELETE", f"/kapis{base}/alice"),
        ("GET", f"/kapis{base}?fieldSelector=metadata.name=alice"), ("GET", "/kapis/other.io/v1/users/alice"),
        ("GET", f"/clusters/m/kapis{base}/alice"), ("GET", "/kapis/iam.kubesphere.io/v1beta1/workspaces/w/users/alice"),
    ]:  # fmt: skip
        assert not allowed(Policy(), method, path), path
    anonymous = Identity(name="system:anonymous")
    assert not allowed(Policy(), "GET", f"/kapis{base}/system:anonymous", anonymous)


def test_a_disabled_user_holds_nothing() -> None:
    held = Policy(accounts={"alice": Account(uid="1", disabled=True)}, roles=ADMIN.roles, user_roles=ADMIN.user_roles)
    assert not allowed(held, "GET", "/api/v1/pods")
    assert "disabled" in decide(held, ALICE, parse("GET", "/api/v1/pods")).reason


WORD = st.sampled_from(["get", "list", "create", "pods", "foos", "a.io", "", "x", "log", "pods/log", "*/log", "*"])
WORDS = st.lists(WORD, max_size=3).map(tuple)
URLS = st.lists(st.sampled_from(["/a", "/a/*", "/*", "*", "/b"]), max_size=2).map(tuple)
RULES = st.builds(
    Rule, verbs=WORDS, api_groups=WORDS, resources=WORDS, non_resource_urls=URLS,
    resource_names=st.lists(st.sampled_from(["x", "y"]), max_size=1).map(tuple),
)  # fmt: skip
ROLES = st.dictionaries(st.sampled_from(["r1", "r2", "r3"]), st.lists(RULES, max_size=4).map(tuple), max_size=3)
HELD = st.lists(st.sampled_from(["r1", "r2", "r3", "gone"]), max_size=3, unique=True).map(tuple)
POLICIES = st.builds(
    Policy, roles=ROLES, user_roles=st.dictionaries(st.sampled_from(["alice", "bob"]), HELD),
    group_roles=st.dictionaries(st.sampled_from(["team", "system:authenticated", "system:unauthenticated"]), HELD),
)  # fmt: skip
WHO = st.builds(
    Identity, name=st.sampled_from(["alice", "bob", "system:anonymous"]),
    groups=st.lists(st.sampled_from(["team", "system:authenticated"]), unique=True).map(tuple),
)  # fmt: skip
PATHS = st.sampled_from(
    ["/api/v1/pods", "/api/v1/pods/x", "/api/v1/namespaces/n/pods/x/log", "/apis/a.io/v1/foos/y", "/a", "/a/b", "/b",
     "/kapis/a.io/v1/foos", "/", "/api/v1/../x", "/kapis/iam.kubesphere.io/v1beta1/users/alice"]
)  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS"])


def obviously(held: Policy, who: Identity, asked: Attributes) -> bool:
    """Section 1.7, written down once more, slowly."""
    if asked.ambiguous:
        return False
    anonymous = who.name == "system:anonymous"
    groups = {*who.groups, "system:unauthenticated" if anonymous else "system:authenticated"}
    names = [*held.user_roles.get(who.name, ())]
    for group in groups:
        names += held.group_roles.get(group, ())
    for rule in (rule for name in names for rule in held.roles.get(name, ())):
        if asked.resource_request:
            verb = "*" in rule.verbs or asked.verb in rule.verbs
            group = "*" in rule.api_groups or asked.api_group in rule.api_groups
            full = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
            resource = "*" in rule.resources or full in rule.resources
            resource = resource or bool(asked.subresource and f"*/{asked.subresource}" in rule.resources)
            if verb and group and resource and (not rule.resource_names or asked.name in rule.resource_names):
                return True
        else:
            verbs = {verb.lower() for verb in rule.verbs}
            verb = "*" in verbs or asked.verb in verbs or (asked.verb == "head" and "get" in verbs)
            for url in rule.non_resource_urls:
                if verb and (url == asked.path or (url[-1] == "*" and asked.path.startswith(url[:-1]))):
                    return True
    own = asked.api_prefix == "kapis" and asked.api_group == "iam.kubesphere.io" and asked.resource == "users"
    return own and asked.verb == "get" and asked.name == who.name and not asked.subresource and not anonymous


@settings(max_examples=400)
@given(POLICIES, WHO, METHODS, PATHS)
def test_every_decision_is_the_obvious_one(held: Policy, who: Identity, method: str, path: str) -> None:
    asked = parse(method, path)
    assert decide(held, who, asked).allowed is obviously(held, who, asked)


@given(st.lists(RULES, max_size=5).map(tuple), METHODS, PATHS)
def test_rules_that_are_filed_say_what_rules_that_are_walked_through_say(
    held: tuple[Rule, ...], method: str, path: str
) -> None:
    asked = parse(method, path)
    assert Grants(held).allow(asked) is any(Grant.of(rule).allows(asked) for rule in held)


def test_a_rule_that_lists_too_much_to_be_filed_counts_as_well() -> None:
    words = tuple(f"w{number}" for number in range(200))
    held = policy(
        Rule(verbs=("get",), api_groups=(*words, "a.io"), resources=(*words, "foos")),
        Rule(verbs=("list",), api_groups=("*", *words), resources=words, resource_names=words),
    )
    assert allowed(held, "GET", "/apis/a.io/v1/foos/x")
    assert not allowed(held, "DELETE", "/apis/a.io/v1/foos/x")
    assert not allowed(held, "GET", "/apis/b.io/v1/foos/x")
    assert len(vars_of(Grants(held.roles["r"]))) < 10, "a product of two hundred by two hundred is not spelled out"


def vars_of(grants: Grants) -> dict[tuple[str, str], set[str]]:
    return grants._verbs  # pyright: ignore[reportPrivateUsage]


@given(POLICIES, st.lists(st.tuples(WHO, METHODS, PATHS), max_size=8))
def test_the_authorizer_says_what_decide_says(held: Policy, asked: list[tuple[Identity, str, str]]) -> None:
    authorizer = Authorizer(held)
    for who, method, path in asked * 2:
        assert authorizer.check(who, method, path, "x=1") == decide(held, who, parse(method, path, "x=1"))


@given(POLICIES, RULES, WHO, METHODS, PATHS)
def test_one_more_rule_never_takes_anything_away(
    held: Policy, rule: Rule, who: Identity, method: str, path: str
) -> None:
    more = Policy(
        roles={**held.roles, "more": (rule,)}, group_roles=held.group_roles,
        user_roles={**held.user_roles, who.name: (*held.user_roles.get(who.name, ()), "more")},
    )  # fmt: skip
    if decide(held, who, parse(method, path)).allowed:
        assert decide(more, who, parse(method, path)).allowed


@given(WHO, st.text(max_size=10), st.text(max_size=60), st.text(max_size=30))
def test_any_request_gets_a_decision_and_it_is_no(who: Identity, method: str, path: str, query: str) -> None:
    assert not Authorizer(Policy()).check(who, method, path, query).allowed


def test_the_stores_are_bounded() -> None:
    authorizer = Authorizer(VIEWER)
    for number in range(10_000):
        authorizer.check(Identity(name=f"u{number}"), "GET", f"/api/v1/pods/{number}")
    kept = vars(authorizer)
    assert len(kept["_young"]) + len(kept["_old"]) <= 2 * 2048
    assert len(vars(kept["_roles"])["_global"]) <= 1, "roles are compiled, not users"


def test_rules_that_change_under_their_name_count_at_once() -> None:
    def policy(*verbs: str) -> Policy:
        rules = (Rule(verbs=verbs, api_groups=("",), resources=("pods",)),)
        return Policy(
            scoped_roles={"cluster/r": "set"}, rule_sets={"set": rules}, user_bindings={"ann": Held(cluster=("r",))}
        )

    asked = parse("GET", "/api/v1/namespaces/n/pods/a")
    answers = [decide(policy(*verbs), Identity(name="ann"), asked).allowed for verbs in (("get",), (), ("get",))]
    assert answers == [True, False, True]
