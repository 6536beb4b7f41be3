"""Go's words for values."""

import pytest

from dovetail.embedded.apiserver.gotext import plain, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", '""'),
        ("plain text", '"plain text"'),
        ('say "a\\b"', '"say \\"a\\\\b\\""'),
        ("tab\tline\nbell\aend\v\f\r\b", '"tab\\tline\\nbell\\aend\\v\\f\\r\\b"'),
        ("\x00\x1b\x7f", '"\\x00\\x1b\\x7f"'),
        ("käse 表", '"käse 表"'),
        ("\u00a0\u200b\U000e0001", '"\\u00a0\\u200b\\U000e0001"'),
        ('"\n\\', '"\\"\\n\\\\"'),
    ],
)
def test_quoted_as_strconv_quotes(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_plain_as_fmt_prints() -> None:
    assert plain({"b": [1, True, None], "a": "x"}) == "map[a:x b:[1 true <nil>]]"
