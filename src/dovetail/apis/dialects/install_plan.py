"""InstallPlan: what should be installed, read from an InstallPlan or from the seed's Subscription."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from dovetail.apis.dialects.meta import Meta, open_object
from dovetail.apis.dialects.policies import Policies, policies
from dovetail.apis.dialects.reading import Fields, Foreign, finish
from dovetail.apis.yaml_depth import refuse_depth

MAX_CONFIG: Final = 1 << 20


class Scheduling(msgspec.Struct, frozen=True, kw_only=True):
    """Member clusters for the extension's agents. Named clusters win over the selector; overrides are YAML texts."""

    clusters: tuple[str, ...] = ()
    cluster_selector: dict[str, Any] | None = None
    overrides: dict[str, str]


class InstallPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan. `config` is YAML text of a map, trailing white space cut off; `target_namespace` empty: the package's."""

    meta: Meta
    extension: str
    version: str
    enabled: bool = True
    upgrade_strategy: Literal["Manual", "Automatic"] = "Manual"
    config: str = ""
    target_namespace: str = ""
    scheduling: Scheduling | None = None
    policies: Policies = Policies()

    @property
    def from_subscription(self) -> bool:
        """True when this was read from the seed's Subscription."""
        return self.meta.kind == "Subscription"


def install_plan(obj: Foreign) -> InstallPlan:
    """Read an InstallPlan or a Subscription. Raises InvalidObject."""
    opened = open_object(obj, "InstallPlan", "Subscription")
    spec, reference = opened.spec, opened.spec.child("extension")
    for name in ("name", "version"):
        if not reference.text(name) and reference.raw(name) is None:
            reference.fail(name, "is needed: which extension, in which version")
    automatic = spec.choice("upgradeStrategy", ("Manual", "Automatic"), "Manual") == "Automatic"
    model = InstallPlan(
        meta=opened.meta,
        extension=reference.text("name"),
        version=reference.text("version"),
        enabled=spec.flag("enabled", default=True),
        upgrade_strategy="Automatic" if automatic else "Manual",
        config=_config(spec),
        target_namespace=spec.text("targetNamespace"),
        scheduling=_scheduling(spec.child("clusterScheduling")),
        policies=policies(spec),
    )
    return finish(model, opened.meta.kind, opened.meta.name, opened.errors)


def _config(spec: Fields) -> str:
    """config as YAML text: a map (the seed) is written out, a text (today) is checked to be YAML of a map."""
    if isinstance(spec.raw("config"), Mapping):
        return _dumped(spec)
    text = spec.text("config").rstrip()
    if mistake := _config_mistake(text):
        spec.fail("config", mistake)
        return ""
    return text


def _dumped(spec: Fields) -> str:
    import yaml  # only here and below, as most processes that read plans never need it

    values = spec.plain("config", default={})
    try:
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True).strip() if values else ""
    except (yaml.YAMLError, RecursionError):
        spec.fail("config", "cannot be written as YAML; write it as a text")
        return ""


def _config_mistake(text: str) -> str:
    import yaml

    if len(text) > MAX_CONFIG:
        return f"is larger than {MAX_CONFIG} bytes"
    try:
        refuse_depth(text)
        events = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        return f"is no YAML{f' (line {where.line + 1})' if where else ''}; it must be a map of Helm values"
    return "" if events is None or isinstance(events, dict) else "must be YAML of a map of Helm values"


def _scheduling(fields: Fields) -> Scheduling | None:
    if not fields.present:
        return None
    placement = fields.child("placement")
    selector = placement.child("clusterSelector")
    return Scheduling(
        clusters=placement.texts("clusters"),
        cluster_selector=placement.plain("clusterSelector") if selector.present else None,
        overrides=fields.text_map("overrides"),
    )
