"""CEL: values, texts of errors, limits; and the pinned Rust engine as a second opinion."""

import time
from typing import Any

import cel as rust_cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.embedded.apiserver import cel
from dovetail.embedded.apiserver.cel.types import INT, STRING, Type, list_of
from dovetail.embedded.apiserver.schema.automaton import Automaton
from dovetail.embedded.apiserver.schema.goregex import translate


def value(expression: str, **bindings: Any) -> Any:
    return cel.program(expression, ("self", "oldSelf")).evaluate(bindings)


def compile_error(expression: str, **types: Type) -> str:
    with pytest.raises(cel.CelCompileError) as caught:
        cel.compile_typed(expression, types)
    return str(caught.value)


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("1 + 2 * 3 == 7 && !(4 > 5)", True),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7.0 / 2.0", 3.5),
        ("1 < 1.5 && 2u > 1", True),
        ("dyn(1) == 1.0", True),
        ("'a' + 'b'", "ab"),
        ("b'\\xff'", b"\xff"),
        ("r'\\d'", "\\d"),
        ("'''a\nb'''", "a\nb"),
        ("size('é😀')", 2),
        ("[1, 2] + [3]", [1, 2, 3]),
        ("{'a': 1}['a']", 1),
        ("'a' in {'a': 1} && 2 in [1, 2]", True),
        ("false && 1 / 0 == 1", False),
        ("1 / 0 == 1 || true", True),
        ("[1, 2, 3].map(x, x > 1, x * 2)", [4, 6]),
        ("[1, 2, 3].filter(x, x != 2)", [1, 3]),
        ("{'a': 1, 'b': 2}.all(k, k in ['a', 'b'])", True),
        ("[1, 2, 2].exists_one(x, x == 2)", False),
        ("[3, 4].all(i, v, v == i + 3)", True),
        ("[1, 2].transformMap(i, v, v * 2)", {0: 2, 1: 4}),
        ("{'a': 1}.transformList(k, v, k)", ["a"]),
        ("['a'].transformMapEntry(i, v, {v: i})", {"a": 0}),
        ("type(1) == int && type('') == string", True),
        ("int('-5') + int(3.9)", -2),
        ("string(1.5) + string(true) + string(2)", "1.5true2"),
        ("[1,?optional.none(),?optional.of(2)]", [1, 2]),
        ("{'a': 1}[?'b'].orValue(5)", 5),
        ("{'a': {'b': 1}}.?a.?b.value()", 1),
        ("optional.of(1).optMap(x, x + 1).value()", 2),
        ("timestamp('2020-02-03T04:05:06Z').getMonth()", 1),
        ("timestamp('2020-01-01T00:00:00Z').getHours('Europe/Berlin')", 1),
        ("timestamp('2020-01-01T02:00:00+02:00') == timestamp('2020-01-01T00:00:00Z')", True),
        ("string(timestamp('2020-01-01T00:00:00.5Z') + duration('1h30m'))", "2020-01-01T01:30:00.5Z"),
        ("duration('90m').getHours()", 1),
    ],
)
def test_the_language(expression: str, wanted: Any) -> None:
    found = value(expression)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    "expression",
    [
        "[1, 2].isSorted() && ![2, 1].isSorted() && [1, 2].sum() == 3 && [1, 2].min() == 1 && [1, 2].max() == 2",
        "[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1.5, 2.5].sum() == 4.0",
        "'abc 123'.find('[0-9]+') == '123' && '1 2 3'.findAll('[0-9]', 2) == ['1', '2'] && 'aab'.matches('a+b')",
        "url('https://user@h.io:8443/p/q?x=1&x=2').getHostname() == 'h.io' && isURL('/a') && !isURL('a b')",
        "url('https://h.io:8443/').getPort() == '8443' && url('https://h.io/a?x=1&x=2').getQuery() == {'x': ['1', '2']}",  # noqa: E501
        "quantity('1Gi').compareTo(quantity('1024Mi')) == 0 && quantity('1500m').add(quantity('500m')).asInteger() == 2",  # noqa: E501
        "isQuantity('1.5k') && !isQuantity('1x') && quantity('2').isGreaterThan(quantity('1')) && quantity('-1').sign() < 0",  # noqa: E501
        "ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && isIP('::1') && !isIP('1.2.3') && ip.isCanonical('::1')",  # noqa: E501
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() == 8 && !isCIDR('10.0.0.0')",  # noqa: E501
        "semver('1.2.3').isLessThan(semver('1.10.0')) && isSemver('1.0.0-rc.1') && !isSemver('1.0') && isSemver('v1.0', true)",  # noqa: E501
        "semver('1.0.0-rc.1').isLessThan(semver('1.0.0')) && semver('1.2.3').minor() == 2",
        "!format.dns1123Label().validate('a-b').hasValue() && format.named('uuid').value().validate('x').hasValue()",
        "'abc'.charAt(1) == 'b' && 'abcb'.indexOf('b') == 1 && 'abcb'.lastIndexOf('b') == 3 && 'aBc'.lowerAscii() == 'abc'",  # noqa: E501
        "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b' && 'abc'.substring(1, 2) == 'b'",
        "'aXbX'.replace('X', '', 1) == 'abX' && ' a '.trim() == 'a' && 'é'.upperAscii() == 'é' && strings.quote('a\"') != 'a'",  # noqa: E501
        "'%s %d %.2f %x %s'.format(['a', 1, 2.0, 255, [1, 2]]) == 'a 1 2.00 ff [1, 2]'",
        "sets.contains([1, 2], [1]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])",
    ],
)  # fmt: skip
def test_the_libraries_of_kubernetes(expression: str) -> None:
    assert value(expression) is True


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("x", "ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x\n | ^"),
        ("1 == 'a'", "<input>:1:3: found no matching overload for '_==_' applied to '(int, string)'"),
        ("'a'.foo(1)", "undeclared reference to 'foo' (in container '')"),
        ("'a'.split(1)", "found no matching overload for 'split' applied to 'string.(int)'"),
        ("self.nope", "<input>:1:5: undefined field 'nope'"),
        ("self.n + 'a'", "found no matching overload for '_+_' applied to '(int, string)'"),
        ("self.items.all(x, x)", "found no matching overload for '_&&_' applied to '(bool, string)'"),
        ("self.n.all(x, true)", "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"),  # noqa: E501
        ("[1, 'a']", "expected type 'int' but found 'string'"),
        ("this does not compile", "<input>:1:6: Syntax error: mismatched input 'does' expecting <EOF>"),
        ("self.", "Syntax error: mismatched input '<EOF>' expecting IDENTIFIER"),
        ("1 @ 2", "Syntax error: token recognition error at: '@'"),
        ("cel.bind(x, 1, x)", "undeclared reference to"),
    ],
)  # fmt: skip
def test_what_does_not_compile_says_so_as_kubernetes_does(expression: str, problem: str) -> None:
    fields = {"n": ("n", INT), "items": ("items", list_of(STRING))}
    text = compile_error(expression, self=Type("object", fields=fields))
    assert text.startswith("compilation failed: ERROR: <input>:")
    assert problem in text


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1 / self.zero", "division by zero"),
        ("self.nope == 1", "no such key: nope"),
        ("[1][5]", "index out of bounds: 5"),
        ("9223372036854775807 + self.one", "integer overflow"),
        ("self.one + 'a'", "no such overload"),
        ("'a'.matches('(')", "error parsing regexp: missing closing ): `(`"),
    ],
)
def test_what_has_no_value(expression: str, problem: str) -> None:
    with pytest.raises(cel.CelEvaluationError, match=problem.replace("(", r"\(").replace(")", r"\)")):
        value(expression, self={"zero": 0, "one": 1})


HOSTILE = [
    "+".join(["1"] * 30_000), "." * 20_000, "(" * 5_000, "[" * 3_000, "a." * 20_000 + "a", "x" * 200_000,
    "'" * 9_999, "size(" * 2_000, "1 ? " * 5_000, "{" * 500, "\\" * 10,
]  # fmt: skip


@pytest.mark.parametrize("expression", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_expressions_end_with_a_sentence(expression: str) -> None:
    begun = time.process_time()
    with pytest.raises((cel.CelCompileError, cel.CelEvaluationError)):
        cel.compile_typed(expression, {}).evaluate({})
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    "expression",
    [
        "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))",
        "self.map(a, self.map(b, [a, b])).size() > 0",
        "self.exists(a, self.exists(b, self.exists(c, string(a) + string(b) == string(c) + 'x')))",
    ],
)
def test_loops_over_loops_are_cut_off(expression: str) -> None:
    begun = time.process_time()
    with pytest.raises(cel.CelCostExceeded, match="operation cancelled: actual cost limit exceeded"):
        value(expression, self=list(range(2_000)))
    assert time.process_time() - begun < 20


def test_regular_expressions_take_linear_time() -> None:
    begun = time.process_time()
    for pattern in ("^(a+)+$", "^(a|aa)+$", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)(.*)(.*)(.*)x$"):
        assert value(f"self.matches(r'{pattern}')", self="a" * 5_000 + "!") is False
    assert time.process_time() - begun < 20


PATTERNS = [
    "a*b*c", "(ab|a)(bc|c)*$", r"\bfoo\b.*x+", "(?i)ab+c*", "[^a-c]+d{2,5}e*$", "(?:a|b)*a(?:a|b){3}", r"^\d+\.\w*\s?$",
    "(?s).*x.*y", "(?m)^a+$", r"\Aab*\z", "", "a{0,3}b?$", "^$|x",
]  # fmt: skip


@given(pattern=st.sampled_from(PATTERNS), text=st.text("abcdxefo .1\n", max_size=14))
def test_the_automaton_finds_what_the_backtracking_matcher_finds(pattern: str, text: str) -> None:
    python = translate(pattern).python
    assert Automaton(python.pattern).search(text) is (python.search(text) is not None)


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "a**", "[b-a]", "(", r"\1", "(?P<n>a)(?P=n)", "a{2000}", "a++", "\\", r"\y"]
)
def test_patterns_that_go_refuses(pattern: str) -> None:
    with pytest.raises(ValueError, match="error parsing regexp"):
        translate(pattern)


# -- the Rust engine as an oracle

_LEAVES = st.sampled_from(["1", "2", "0", "-3", "self.a", "self.b", "size(self.l)", "self.l[0]"])
_INTS = st.recursive(
    _LEAVES, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner), max_leaves=6
)
_BOOLS = st.recursive(
    st.builds("{} {} {}".format, _INTS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _INTS)
    | st.builds("{} in self.l".format, _INTS)
    | st.builds("self.s.{}('{}')".format, st.sampled_from(["startsWith", "endsWith", "contains"]), st.sampled_from("abx"))  # noqa: E501
    | st.builds("self.l.{}(x, x {} {})".format, st.sampled_from(["all", "exists"]), st.sampled_from("<>"), _INTS),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
    | st.builds("!({})".format, inner)
    | st.builds("({} ? {} : {})".format, inner, inner, inner),
    max_leaves=6,
)  # fmt: skip
_DATA = {"a": 3, "b": -7, "l": [1, 2, 3], "s": "abc"}


@settings(max_examples=150, deadline=None)
@given(_BOOLS)
def test_both_engines_agree(expression: str) -> None:
    assert value(expression, self=_DATA) == rust_cel.compile(expression).execute({"self": _DATA})
