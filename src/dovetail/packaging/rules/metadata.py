"""Rules about extension.yaml beyond those without which nothing can be built (`dovetail.packaging.metadata`)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dovetail.packaging import names
from dovetail.packaging.chart import VALUES_FILE, Chart
from dovetail.packaging.errors import InvalidConstraint
from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, note, warning
from dovetail.packaging.manifests import mapping
from dovetail.packaging.versions import Constraint, Version
from dovetail.packaging.yaml11 import load

_EMAIL: Final = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_VENDORS: Final = "-tke.1"


def category(examined: Examined) -> Iterator[Finding]:
    """A category that no platform brings."""
    name = examined.package.metadata.category
    if name and name not in names.CATEGORIES and names.is_label_value(name):
        message = f"{name} is not a category that every platform has"
        fix = "Use one that `ksbuilder category` lists, if one fits"
        yield note("category-unknown", examined.at("category"), message, fix)


def languages(examined: Examined) -> Iterator[Finding]:
    """displayName and description must be in the same languages."""
    metadata = examined.package.metadata
    only_name = sorted(metadata.display_name.keys() - metadata.description.keys())
    only_description = sorted(metadata.description.keys() - metadata.display_name.keys())
    for field, other, codes in (
        ("description", "displayName", only_name),
        ("displayName", "description", only_description),
    ):
        if codes and getattr(metadata, "description" if field == "description" else "display_name"):
            message = f"{other} is translated into {', '.join(codes)}, {field} is not"
            yield warning("languages-differ", examined.at(field), message, f"Add {field}.{codes[0]}")


def addresses(examined: Examined) -> Iterator[Finding]:
    """Links that a reader can follow."""
    metadata = examined.package.metadata
    fields = [(("home",), metadata.home), (("docs",), metadata.docs)]
    fields += [(("sources", at), url) for at, url in enumerate(metadata.sources)]
    fields += [(("maintainers", at, "url"), person.url) for at, person in enumerate(metadata.maintainers)]
    fields += [(("provider", code, "url"), provider.url) for code, provider in metadata.provider.items()]
    for path, url in fields:
        if url and not names.is_url(url):
            yield warning("url-invalid", examined.at(*path), f"{url!r} is not an absolute address", "Write https://...")


def maintainers(examined: Examined) -> Iterator[Finding]:
    """Somebody to write to."""
    for at, person in enumerate(examined.package.metadata.maintainers):
        if not person.name:
            yield warning("maintainer-invalid", examined.at("maintainers", at), "a maintainer has no name", "Add name")
        if person.email and not _EMAIL.fullmatch(person.email):
            message = f"{person.email!r} is not an e-mail address"
            yield warning("maintainer-invalid", examined.at("maintainers", at), message, "Write name@example.org")


def vendor_versions(examined: Examined) -> Iterator[Finding]:
    """A constraint that accepts a release but not the same release of a vendor."""
    text = examined.package.metadata.kube_version
    try:
        constraint = Constraint.parse(text)
    except InvalidConstraint:
        return
    accepted = [minor for minor in range(40) if constraint.accepts(Version.parse(f"1.{minor}.5"))]
    if text.strip() and accepted and not constraint.accepts(Version.parse(f"1.{accepted[-1]}.5{_VENDORS}")):
        message = f"{text!r} leaves out versions of vendors such as v1.{accepted[-1]}.5{_VENDORS}"
        fix = "Write -0 after the version, as in >=1.19.0-0"
        yield warning("constraint-excludes-vendors", examined.at("kubeVersion"), message, fix)


def conditions(examined: Examined) -> Iterator[Finding]:
    """A condition is a switch only if values.yaml (the extension's or the sub-chart's) has the value."""
    package = examined.package
    values = mapping(load(package.files.get(VALUES_FILE, b""), VALUES_FILE).value)
    for at, dependency in enumerate(package.metadata.dependencies):
        paths = [path.strip() for path in dependency.condition.split(",") if path.strip()]
        inside = _values_of(package.chart, dependency.name)
        known = {**inside, **mapping(values.get(dependency.alias or dependency.name))}
        everything = {**values, (dependency.alias or dependency.name): known}
        if paths and not any(isinstance(_get(everything, path), bool) for path in paths):
            message = f"the condition {paths[0]} of {dependency.name} has no value, so it is no switch"
            fix = f"Add {paths[0]}: true to {VALUES_FILE}"
            yield warning("condition-without-value", examined.at("dependencies", at, "condition"), message, fix)


def _values_of(chart: Chart, name: str) -> Mapping[str, Any]:
    inner = next((sub for sub in chart.charts if sub.name == name), None)
    return mapping(load(inner.files.get(VALUES_FILE, b""), VALUES_FILE).value) if inner else {}


def _get(values: Mapping[str, Any], path: str) -> object:
    found: object = values
    for part in path.split("."):
        found = mapping(found).get(part)
    return found


def nested(examined: Examined) -> Iterator[Finding]:
    """Charts that sub-charts declare and do not carry."""
    yield from _nested(examined.package.chart, "charts/")


def _nested(chart: Chart, prefix: str) -> Iterator[Finding]:
    for sub in chart.charts:
        place = f"{prefix}{sub.name}"
        present = {inner.name for inner in sub.charts}
        for dependency in sub.metadata.dependencies:
            if dependency.name not in present:
                message = f"{sub.name} declares the chart {dependency.name} and does not carry it"
                fix = "Run `helm dependency update` there, or remove the dependency"
                yield warning("dependency-nested-missing", f"{place}/Chart.yaml", message, fix)
        yield from _nested(sub, f"{place}/charts/")
