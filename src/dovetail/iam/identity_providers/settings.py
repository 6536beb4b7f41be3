"""A Secret -> `ProviderSettings` (reference/kubesphere-core.md 3.4). Pure.

    type: config.kubesphere.io/identityprovider, label config.kubesphere.io/type=identityprovider,
    key configuration.yaml: name, type, mappingMethod (auto | manual | lookup), displayName, hidden, disabled,
    provider: {...}

The name becomes part of an annotation, of addresses and of group names, so it is short and plain. Who gives a provider
another configuration under the same name says that it is the same provider: its users stay linked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from dovetail.iam.identity_providers.provider import Kind
from dovetail.iam.labelled_secrets import UnusableConfiguration, configuration, flag, section, text

SECRET_TYPE: Final = "config.kubesphere.io/identityprovider"
SELECTOR: Final = "config.kubesphere.io/type=identityprovider"
KINDS: Final[Mapping[str, Kind]] = {
    "LDAPIdentityProvider": "password",
    "OIDCIdentityProvider": "redirect",
    "GitHubIdentityProvider": "redirect",
    "AliyunIDaaSProvider": "redirect",
    "CASIdentityProvider": "redirect",
}
MappingMethod = Literal["auto", "manual", "lookup"]
_METHODS: Final = ("auto", "manual", "lookup")
_NAME: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,38}[A-Za-z0-9])?\Z")
_RESERVED: Final = frozenset({"system", "kubesphere", "kubeadm"})


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What an administrator said of a provider; `provider` is for its type to read."""

    name: str
    type: str
    mapping: MappingMethod = "manual"
    display_name: str = ""
    hidden: bool = False
    disabled: bool = False
    provider: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def kind(self) -> Kind:
        return KINDS[self.type]


def read_settings(obj: Mapping[str, Any]) -> ProviderSettings:
    """The settings in a Secret. Raises UnusableConfiguration."""
    said = configuration(obj, SECRET_TYPE)
    name, type_ = text(said, "name"), text(said, "type")
    if not _NAME.match(name) or name.lower() in _RESERVED:
        raise UnusableConfiguration("name must be 1 to 40 letters, digits, '-', '_' and '.', and not a reserved word")
    if type_ not in KINDS:
        raise UnusableConfiguration(f"type must be one of {', '.join(KINDS)}")
    method = text(said, "mappingMethod") or "manual"
    if method not in _METHODS:
        raise UnusableConfiguration(f"mappingMethod must be one of {', '.join(_METHODS)}")
    return ProviderSettings(
        name=name, type=type_, mapping=method, display_name=text(said, "displayName") or name,
        hidden=flag(said, "hidden"), disabled=flag(said, "disabled"), provider=section(said, "provider"),
    )  # fmt: skip
