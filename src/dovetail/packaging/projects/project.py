"""From answers to the files of a project. Pure: nothing is written here."""

from collections.abc import Mapping
from typing import Final

from dovetail.packaging.archive import read_archive
from dovetail.packaging.chart import load_chart
from dovetail.packaging.projects.answers import Answers, Template, check, service_of
from dovetail.packaging.projects.templates import layer

_LAYERS: Final[Mapping[Template, tuple[str, ...]]] = {
    "standard": ("frontend", "backend"),
    "frontend": ("frontend",),
    "backend": ("backend",),
    "simple": ("page",),
    "app": ("chart", "page"),
}


def create(answers: Answers) -> dict[str, bytes]:
    """Every file of the project, by path. Raises InvalidAnswer, and PackagingError for a chart that cannot be read."""
    check(answers)
    parts = _LAYERS[answers.template]
    opening = answers.opening if "page" in parts else ""
    chart_files, about_chart = _chart(answers)
    values = {**_texts(answers), **about_chart, **_flags(answers, parts, opening)}
    layers = ["base", *(part for part in parts if part in ("frontend", "backend")), *filter(None, [opening])]
    if "frontend" in parts:
        layers.append("built-standard" if "backend" in parts else "built-frontend")
    if "backend" in parts:
        layers.append(answers.language)
    project: dict[str, bytes] = {}
    for name in layers:
        project |= layer(name, values)
    return project | chart_files


def _texts(answers: Answers) -> dict[str, str]:
    title = answers.title or answers.name.replace("-", " ").capitalize()
    description = answers.description or f"{title}, an extension of the console."
    service, port = service_of(answers.service) if answers.service else ("", 0)
    return {
        "name": answers.name,
        "key": answers.name.upper().replace("-", "_"),
        "group": answers.group or f"{answers.name}.dovetail.dev",
        "category": answers.category,
        "author": answers.author.strip(),
        "email": answers.email,
        "url": answers.url,
        "title": title,
        "title_zh": answers.title_zh or title,
        "description": description,
        "description_zh": answers.description_zh or f"{answers.title_zh or title}，一个控制台扩展组件。",
        "target": answers.target,
        "service": service,
        "port": str(port),
    }


def _flags(answers: Answers, parts: tuple[str, ...], opening: str) -> dict[str, str]:
    """What decides about blocks, and the rights that follow from the parts."""
    bundle = "frontend" in parts or opening == "iframe"
    plugs = [
        *(["apiservices"] if "backend" in parts else []),
        *(["jsbundles"] if bundle else []),
        *(["reverseproxies"] if opening == "iframe" else []),
        *(["extensionentries"] if opening == "link" else []),
    ]
    group = answers.group or f"{answers.name}.dovetail.dev"
    named = [
        *([answers.name] if bundle or opening else []),
        *([f"v1alpha1.{group}"] if "backend" in parts else []),
    ]
    flags = dict.fromkeys(parts, "yes")
    flags |= {answers.language: "yes"} if "backend" in parts else {}
    flags |= {"configmaps": "yes" if bundle else "", "alone": "" if "backend" in parts else "yes"}
    flags |= {"address": "" if answers.service else "yes"}
    return {**flags, "plugs": f"[{', '.join(plugs)}]", "plug_names": f"[{', '.join(named)}]"}


def _chart(answers: Answers) -> tuple[dict[str, bytes], dict[str, str]]:
    """The chart of an app, unpacked into charts/, and what the templates say about it."""
    if not answers.chart:
        return {}, {}
    tree = read_archive(answers.chart)
    about = load_chart(tree.files, tree.name).metadata
    files = {f"charts/{about.name}/{path}": data for path, data in tree.files.items()}
    return files, {"chart_name": about.name, "chart_version": about.version}
