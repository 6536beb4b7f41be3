"""The rules for names, addresses, versions, languages and categories.

Reading is as lenient as the published tools and the cluster allow; writing follows the strict profile under which an
extension installs everywhere (reference/ksbuilder.md 2.2): a name that fits a Helm release, its agent's release and a
namespace, a version that fits an object's name. Every rule here is a predicate; who breaks one is told in `metadata`.
"""

import re
from typing import Final
from urllib.parse import urlsplit

_STRICT_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ALIAS: Final = re.compile(r"[a-zA-Z0-9_-]+")

STRICT_NAME_RULE: Final = "lower-case letters, digits and hyphens, at most 47, first and last not a hyphen"

_CODES: Final = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz
ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja
jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng
nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw
ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"""
LANGUAGES: Final = frozenset(_CODES.split())
"""The two-letter codes of ISO 639-1, with the withdrawn `bh` that the published tools still take."""

CATEGORIES: Final = (
    "ai-machine-learning",
    "database",
    "observability",
    "integration-delivery",
    "networking",
    "security",
    "storage",
    "streaming-messaging",
    "computing",
    "dev-tools",
    "deepseek",
)
"""The categories that every platform has. Others are allowed and are created at publish."""


def is_strict_name(name: str) -> bool:
    """Whether a new extension may have this name."""
    return _STRICT_NAME.fullmatch(name) is not None


def is_subdomain(name: str, limit: int = 63) -> bool:
    """Whether a name is a DNS-1123 subdomain of at most `limit` characters: what a cluster accepts."""
    return 0 < len(name) <= limit and all(_LABEL.fullmatch(part) for part in name.split("."))


def is_label_value(text: str) -> bool:
    """Whether a text may be the value of a Kubernetes label."""
    return _LABEL_VALUE.fullmatch(text) is not None


def is_url(text: str) -> bool:
    """Whether a text is an absolute address on the web."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def is_alias(text: str) -> bool:
    """Whether a text may be the alias of a chart dependency."""
    return _ALIAS.fullmatch(text) is not None
