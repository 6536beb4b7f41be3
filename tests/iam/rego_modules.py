"""Modules for the tests of Rego. The first four say what the published built-in roles say, in texts of our own."""

AUTHENTICATED = """
package authz

default allow = false

# the own account, by whatever verb
allow {
    input.Resource == "users"
    input.Name == input.User.Name
}

# what one is a member of
allow {
    reading[_] == input.Verb
    endswith(input.Resource, "members")
    input.Name == input.User.Name
}

allow {
    input.Verb == "get"
    roots := ["/api", "/api/v1"]
    input.Path == roots[_]
}

allow {
    input.APIGroup == "tenant.kubesphere.io"
    reading[_] == input.Verb
}

# a shell of one's own
allow {
    input.Resource == "pods"
    input.Subresource == "exec"
    trim_prefix(input.Name, "ks-managed-kubectl-") == input.User.Name
    startswith(input.Name, "ks-managed-kubectl-")
}

reading = ["get", "list", "watch"]
"""

PLATFORM_ADMIN = """
package authz
default allow = false
allow {
  scopes := ["Workspace", "Namespace", "Cluster"]
  input.ResourceScope == scopes[_]
}
"""

VIEW_WORKSPACES = """
package authz
default allow = false
allow {
  allowedVerbs := ["get", "list", "watch"]
  allowedScopes := {"Workspace", "Namespace"}
  input.Verb == allowedVerbs[_]
  allowedScopes[input.ResourceScope]
}
"""

VIEW_CLUSTERS = """
package authz
import future.keywords.if
import future.keywords.in

default allow := false

allow if {
  input.Verb in ["get", "list", "watch"]
  input.ResourceScope in {"Cluster", "Namespace"}
  input.Workspace == ""
}
"""

BUILT_IN = {
    "authenticated": AUTHENTICATED,
    "platform-admin": PLATFORM_ADMIN,
    "view-workspaces": VIEW_WORKSPACES,
    "view-clusters": VIEW_CLUSTERS,
}

FEATURES = {
    "rules that name rules": """package authz
default allow = false
allow = true { input.Verb == allowed_verbs[_]; is_scope }
allowed_verbs = ["get", "list"]
is_scope { input.ResourceScope == "Workspace" }
is_scope { input.ResourceScope == "Namespace" }
""",
    "sets, in two syntaxes": """package authz
import future.keywords.in
import future.keywords.if
import future.keywords.contains
default allow := false
allow if input.Verb in {"get", "list"}
names contains n if { some n in input.User.Groups; startswith(n, "d") }
allow if { count(names) == 1; input.Name == "bob" }
""",
    "negation": """package authz
allow { not denied; input.Resource = "pods" }
denied { input.Verb == "create" }
denied { some i; input.User.Groups[i] == "nobody" }
""",
    "imports and unification": """package authz
import input.User as user
allow {
  user.Groups[i] == "ops"; i > 0
  x = [1,2,3]; x[_] == 3
  input.Name == concat("", ["ks-managed-kubectl-", user.Name])
}
""",
    "functions and objects": """package authz
allow { f(input.Verb) == "GET"; m := {"a": [1, {"b": input.Name}]}; m.a[1].b == "bob"; m["a"][0] == 1 }
f(x) = upper(x)
""",
    "comprehensions": """package authz
allow {
  x := {y | y = input.User.Groups[_]}
  x == {"dev", "ops", "system:authenticated"}
  z := [n | n := input.Name; n != "bob"]
  count(z) == 1
}
""",
    "partial sets and objects": """package authz
roles["a"] { input.Verb == "get" }
roles["b"] { input.Verb == "list" }
perms[k] = v { k := input.Verb; v := input.Resource }
allow { roles[r]; r == "b" }
allow { perms.get == "pods" }
""",
    "own package by its full name": """package authz
allow { data.authz.helper; object.get(input, "Nope", "default") == "default" }
helper { object.get(input, ["User", "Name"], "x") == "alice"; input.Verb != "get" }
""",
    "every": """package authz
import future.keywords.every
import future.keywords.in
allow { every g in input.User.Groups { startswith(g, "d") } }
allow { every k, g in input.User.Groups { k < 3; not g == "x" }; input.Verb == "list" }
""",
    "arithmetic and splitting": """package authz
allow { [a, b] := split(input.Name, "-"); a != b }
allow {
  parts := split(input.Name, "-")
  parts[count(parts) - 1] == "alice"
  1 + 2 * 3 == 7; (1 + 2) * 3 == 9; 7 % 4 == 3
}
""",
    "true is no number": """package authz
allow { true == 1 }
allow { {true} == {1} }
allow { [true][_] == 1 }
""",
    "set operators": """package authz
allow { ys := {"a", "b"} | {"c"}; ys["c"]; ys - {"a"} == {"b", "c"}; ys & {"a"} == {"a"}; input.Verb == "create" }
""",
    "lookups in lookups": """package authz
allow { some i, j; m := [[1,2],[3,4]]; m[i][j] == 4; i == 1; j == 1; input.Verb == "get" }
allow { a := input.User.Groups[_]; b := input.User.Groups[_]; a != b; input.Verb == "create" }
""",
    "keys that are looked for": """package authz
allow { input.User[k] == "alice"; k == "Name"; input["Verb"] == "get" }
""",
    "a default that allows": """package authz
default allow = true
allow = false { input.Verb == "get" }
""",
    "nothing in the list is": """package authz
allow { not xs[_] == 3; input.Verb == "get" }
xs = [1, 2]
""",
    "strings": """package authz
# comment
allow {
    # inner
    input.Verb == "get" # trailing
    lower(upper(input.Name)) == `bob`
    contains(input.Name, "o"); substring(input.Name, 1, -1) == "ob"; replace(input.Name, "b", "p") == "pop"
    sprintf("%s/%d", [input.Name, 3]) == "bob/3"; trim_suffix(input.Name, "b") == "bo"; indexof(input.Name, "b") == 0
}
""",
    "a variable that comes later": """package authz
allow { input.Verb == v; v = "get"; w = ["users", "pods"][_]; w == input.Resource }
""",
}

REFUSED = {
    "there is no function http.send": 'package authz\nallow { http.send({"url": "http://x"}) }',
    "there is no function time.now_ns": "package authz\nallow { time.now_ns() > 0 }",
    "leads back to itself": "package authz\nallow { a }\na { b }\nb { a }",
    "leads back to itself: allow": "package authz\nf(x) { f(x) }\nallow { f(1) }",
    "`else`": 'package authz\nallow { input.Verb == "get" } else = true { input.Verb == "list" }',
    "`with`": "package authz\nallow { b with input as {} }\nb { true }",
    "no rule `allow`": "package authz\ndeny { true }",
    "not `package authz`": "package other\nallow { true }",
    "data holds nothing": "package authz\nallow { data.secrets.x == 1 }",
    "only parts of input": "package authz\nimport data.x\nallow { x == 1 }",
    "never gets a value": "package authz\nallow { x > 1 }",
    "assigned twice": "package authz\nallow { x := 1; x := 2 }",
    "do not go together": "package authz\nallow { true }\nallow[x] { x := 1 }",
    "takes 2 arguments": 'package authz\nallow { startswith("a") }',
    "is expected here": "package authz\nallow { input.Verb == }",
    "not expected here": "package authz\nallow { true } $",
    "nested too deeply": "package authz\nallow { x := " + "[" * 500 + "]" * 500 + " }",
    "longer than": "package authz\n" + "# x\n" * 20_000 + "allow { true }",
    "more than 300 rules": "package authz\n" + "\n".join(f"r{n} = 1" for n in range(400)) + "\nallow { true }",
    "more than 60 literals": "package authz\nallow { " + "; ".join(["true"] * 100) + " }",
    "more than 3000 words": "package authz\nallow { x := " + "+".join(["1"] * 5000) + " }",
    "'package' is expected": "",
}

_TEN = "xs := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"


def _chain(first: str, step: str) -> str:
    body = "; ".join([f"x0 := {first}", *(f"x{n} := {step.replace('X', f'x{n - 1}')}" for n in range(1, 50))])
    return f"package authz\nallow {{ {body}; x49 == x49 }}"


HOSTILE = {
    "a product": f"package authz\n{_TEN}allow {{ "
    + "; ".join(f"{name} := xs[_]" for name in "abcdefgh")
    + "; a + h > 50 }",
    "a huge comprehension": f"package authz\n{_TEN}allow {{ ys := [[a, b, c, d] | a := xs[_]; b := xs[_]; c := xs[_]; "
    "d := xs[_]]; count(ys) > 3 }",
    "shared parts": _chain('["a", "b"]', "[X, X]"),
    "shared parts of sets": _chain("{1}", "{X, {X}}"),
    "shared parts of objects": _chain('{"a": 1}', '{"a": X, "b": X}'),
    "strings that grow": _chain('"aaaaaaaaaaaaaaaaaaaaaaaaa"', 'sprintf("%s%s", [X, X])'),
    "replaced strings": _chain('"aaaaaaaaaaaaaaaaaaaaaaaaa"', 'replace(X, "a", "aaaaaaaaaa")'),
    "functions of functions": "package authz\n"
    + "\n".join(f"f{n}(x) = y {{ y := [f{n - 1}(x), f{n - 1}(x)] }}" for n in range(1, 25))
    + "\nf0(x) = x\nallow { count(f24(1)) == 2 }",
}
