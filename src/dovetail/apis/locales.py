"""Locales: a text in several languages (language code -> text), and which of them to show."""

from collections.abc import Mapping

FALLBACKS = ("en", "zh")


def resolve(locales: Mapping[str, str], language: str = "en") -> str:
    """The text for a language: that one, its base (`zh` for `zh-CN`), English, Chinese, any; empty when none is."""
    for code in (language, language.partition("-")[0], *FALLBACKS):
        if text := locales.get(code):
            return text
    return next((text for _, text in sorted(locales.items()) if text), "")
