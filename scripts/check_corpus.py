"""Hold our packaging against published packages: `make corpus DIR=folder`.

The folder has source trees as NAME.source.tar.gz and what the published tool made of them as NAME-VERSION.tgz. For each
source tree the archive is built and compared: the bytes of every Chart.yaml, the set of members, their contents; it is
loaded in the Helm SDK, rendered for every release that the platform would make of it, read again and built again
(which must give the same bytes). Archives without a source tree are built again from their own contents.

One line a package; the last line of the output is one JSON object: packages, chart_yaml_equal, members_equal, rendered
(numbers of those that have a published archive), `unpublished`, the names of source trees that have none and so nothing
to be equal to (they are built and rendered if they can be: some samples cannot, by any tool), and `failed`, the names
of published ones with any fault. Exit code 1 if there is one.
"""

import asyncio
import io
import json
import re
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from dovetail.cli.ksbuilder.rendering import Renderer, Situation, renderer
from dovetail.helm import HelmError
from dovetail.packaging.archive import read_archive
from dovetail.packaging.builder import build
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.examined import view_names
from dovetail.packaging.package import read_package
from dovetail.packaging.tree import Tree, read_directory

SOURCE = ".source.tar.gz"
CHART = "Chart.yaml"


@dataclass
class Verdict:
    """What was found of one package."""

    name: str
    published: bool = True
    chart_yaml_equal: bool = False
    members_equal: bool = False
    rendered: bool = False
    remarks: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        equal = self.chart_yaml_equal and self.members_equal
        return self.rendered and (equal or not self.published) and not self.remarks


def source_tree(archive: Path, scratch: Path) -> Tree:
    """The tree of a NAME.source.tar.gz: its folder, or what lies in it if it is flat."""
    target = scratch / archive.name.removesuffix(SOURCE)
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        tar.extractall(target, filter="data")
    roots = [path.parent for path in target.rglob("extension.yaml")]
    return read_directory(min(roots, key=lambda path: len(path.parts)) if roots else target)


async def judge(name: str, tree: Tree, folder: Path, helm: Renderer) -> Verdict:
    verdict = Verdict(name)
    try:
        archive = build(tree)
        package = read_package(archive.data)
        compare(verdict, folder / archive.name, archive.data)
        again = build(Tree(package.name, package.files)).data
        if again != archive.data:
            verdict.remarks.append("read and built again it has other bytes")
        for view in view_names(package):
            await helm.render(package, archive.data, view)
        verdict.rendered = True
    except (PackagingError, HelmError) as error:
        verdict.remarks.append(str(error))
    return verdict


def compare(verdict: Verdict, theirs: Path, data: bytes) -> None:
    if not theirs.exists():
        verdict.published = False
        return
    ours, published = read_archive(data).files, read_archive(theirs.read_bytes()).files
    charts = {path for path in {*ours, *published} if path.rpartition("/")[2] == CHART}
    other = sorted(path for path in charts if ours.get(path) != published.get(path))
    different = sorted(path for path in ours.keys() | published.keys() if ours.get(path) != published.get(path))
    verdict.chart_yaml_equal, verdict.members_equal = not other, not different
    verdict.remarks += [f"{path} differs" for path in different]


async def main(sources: dict[str, Path], archives: list[Path], folder: Path) -> int:
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as scratch:
        async with renderer(Situation()) as helm:
            for name, path in sources.items():
                try:
                    verdict = await judge(name, source_tree(path, Path(scratch)), folder, helm)
                except (PackagingError, tarfile.TarError, OSError) as error:
                    verdict = Verdict(name, remarks=[str(error)])
                is_published = any(belongs(archive, name) for archive in archives)
                if is_published and not verdict.published:
                    verdict.remarks.append("the published archive has another name than ours")
                verdict.published = is_published
                verdicts.append(verdict)
                tell(verdict)
            for path in archives:
                if not any(belongs(path, name) for name in sources):
                    verdicts.append(await judge(path.stem, read_archive(path.read_bytes()), folder, helm))
                    tell(verdicts[-1])
    return conclude(verdicts)


def belongs(archive: Path, name: str) -> bool:
    """Whether an archive NAME-VERSION.tgz is of this name."""
    return re.fullmatch(rf"{re.escape(name)}-v?\d.*", archive.stem) is not None


def conclude(verdicts: list[Verdict]) -> int:
    """Print the last line; the exit code."""
    published = [one for one in verdicts if one.published]
    summary = {
        "packages": len(published),
        "chart_yaml_equal": sum(one.chart_yaml_equal for one in published),
        "members_equal": sum(one.members_equal for one in published),
        "rendered": sum(one.rendered for one in published),
        "unpublished": [one.name for one in verdicts if not one.published],
        "failed": [one.name for one in published if not one.good],
    }
    print(json.dumps(summary))
    return 1 if not verdicts or summary["failed"] else 0


def tell(verdict: Verdict) -> None:
    chart, members = (
        ("-" if not verdict.published else "equal" if equal else "DIFFERENT")
        for equal in (verdict.chart_yaml_equal, verdict.members_equal)
    )
    rendered = "yes" if verdict.rendered else "NO"
    print(f"{verdict.name:24} Chart.yaml {chart:10} members {members:10} rendered {rendered}", flush=True)
    for remark in verdict.remarks[:10]:
        print(f"    {remark}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("Give a folder with NAME.source.tar.gz and NAME-VERSION.tgz: make corpus DIR=folder")
    given = Path(sys.argv[1])
    found = {path.name.removesuffix(SOURCE): path for path in sorted(given.glob(f"*{SOURCE}"))}
    sys.exit(asyncio.run(main(found, sorted(given.glob("*.tgz")), given)))
