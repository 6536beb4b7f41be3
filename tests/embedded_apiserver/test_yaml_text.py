"""YAML of clients: the scalars of go-yaml, and limits."""

import itertools

import pytest

from dovetail.embedded.apiserver.verbs import yaml_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-21", "2026-11-21"), ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"), ("1:30", "1:30"),
        ("1e3", 1000.0), ("010", 8), ("0x1f", 31), ("1_000", 1000), ("yes", True), ("~", None), ("1.5", 1.5),
        ("v1", "v1"), ("'1'", "1"), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object) -> None:
    assert yaml_text.load(f"a: {text}".encode()) == {"a": value}


@pytest.mark.parametrize("text", ["[" * 300 + "]" * 300, "a:\n" + "".join(" " * i + "- \n" for i in range(1, 300))])
def test_what_is_too_deep_is_refused(text: str) -> None:
    with pytest.raises(yaml_text.NotYaml, match="exceeded max depth"):
        yaml_text.load(text.encode())


def test_aliases_that_stand_for_too_much_are_refused() -> None:
    names = [f"a{number}" for number in range(12)]
    lines = ["a0: &a0 [x, x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in itertools.pairwise(names)]
    with pytest.raises(yaml_text.NotYaml, match="excessive aliasing"):
        yaml_text.load("\n".join(lines).encode())
    assert yaml_text.load(b"a: &a [1]\nb: [*a, *a]") == {"a": [1], "b": [[1], [1]]}
