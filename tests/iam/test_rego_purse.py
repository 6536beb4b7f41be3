"""However many Rego modules somebody has collected, one decision about him stays short."""

from dovetail.iam.attributes import of_resource
from dovetail.iam.authorizer import Authorizer
from dovetail.iam.policy import Account, Held, Identity, Policy
from dovetail.iam.rego import Purse, compile_module
from dovetail.iam.rego.running import BUDGET

HEAVY = """package authz
default allow = false
xs := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
allow { xs[_] == xs[i]; xs[_] + xs[_] == 1000; i == 99 }
"""
OPEN = "package authz\ndefault allow = true\n"
EVE = Identity(name="eve")
ASKED = of_resource("get", "tenant.kubesphere.io", "resourcequotas", workspace="w")


def policy(*modules: str) -> Policy:
    """Eve holds one role of the workspace for each module, in this order."""
    names = tuple(f"r{number:04}" for number in range(len(modules)))
    return Policy(
        accounts={"eve": Account(uid="1")},
        scoped_roles={f"workspace/w/{name}": "none" for name in names},
        rule_sets={"none": ()},
        user_bindings={"eve": Held(workspaces={"w": names})},
        rego={f"workspace/w/{name}": (text,) for name, text in zip(names, modules, strict=True)},
    )


def test_a_decision_asks_modules_until_the_purse_is_empty() -> None:
    assert Authorizer(policy(OPEN)).decide(EVE, ASKED).allowed
    assert Authorizer(policy(HEAVY, OPEN)).decide(EVE, ASKED).allowed
    assert not Authorizer(policy(*[HEAVY] * 5, OPEN)).decide(EVE, ASKED).allowed


def test_modules_that_cost_nothing_are_not_asked_for_ever_either() -> None:
    purse, program, asked = Purse(), compile_module("package authz\ndefault allow = false\n"), 0
    while not purse.empty and asked < 10 * BUDGET:
        program.allows({}, purse)
        asked += 1
    assert asked <= 2 * BUDGET // 10


def test_what_a_module_leaves_over_is_there_for_the_next() -> None:
    purse, cheap = Purse(), compile_module(OPEN)
    assert all(cheap.allows({}, purse) for _ in range(50))
    heavy = compile_module(HEAVY)
    assert [heavy.allows({}, purse) for _ in range(2)] == [False, False]
    assert purse.empty
