"""Builds the front ends of `ksbuilder create`'s templates, so that a new project has its page before npm was ever run.

A project is made with stand-ins for the author's answers, built with its own Vite, and the stand-ins in the bundle
become the template's places again. Needs npm.   python scripts/build_project_templates.py [NODE_MODULES]
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dovetail.packaging.projects.answers import Answers, Template
from dovetail.packaging.projects.project import create

FILES = Path(__file__).parents[1] / "src/dovetail/packaging/projects/files"
BUNDLE = "charts/frontend/files/index.js"
STAND_INS = {
    '"DovetailTitle"': "[[title|quoted]]",
    '"DovetailZh"': "[[title_zh|quoted]]",
    "dovetailgroup.example.org": "[[group]]",
    "DOVETAILNAME": "[[key]]",
    "dovetailname": "[[name]]",
}


def stand_in(template: Template) -> Answers:
    """Answers that can be told apart in a bundle."""
    return Answers(
        name="dovetailname", category="dev-tools", author="The authors", template=template,
        title="DovetailTitle", title_zh="DovetailZh", group="dovetailgroup.example.org",
    )  # fmt: skip


def write(files: dict[str, bytes], directory: Path) -> None:
    """Write a project."""
    for path, data in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def built(template: Template, modules: Path) -> str:
    """The bundle of a template, with its places."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        write(create(stand_in(template)), directory)
        (directory / "frontend/node_modules").symlink_to(modules.resolve())
        subprocess.run(["npm", "run", "--silent", "build"], cwd=directory / "frontend", check=True, timeout=120)
        text = (directory / BUNDLE).read_text()
    for stand, place in STAND_INS.items():
        text = text.replace(stand, place)
    return text


def install(directory: Path) -> Path:
    """The node_modules of a new project."""
    write(create(stand_in("standard")), directory)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=directory / "frontend", check=True, timeout=300)
    return directory / "frontend/node_modules"


def main() -> None:
    """Build both."""
    scratch = Path(tempfile.mkdtemp())
    try:
        modules = Path(sys.argv[1]) if sys.argv[1:] else install(scratch)
        for template in ("standard", "frontend"):
            target = FILES / f"built-{template}" / BUNDLE
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(built(template, modules))
            print(target)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
