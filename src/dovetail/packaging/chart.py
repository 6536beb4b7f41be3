"""A Helm chart as a value: loaded from files as Helm loads it, and laid out again as Helm saves it.

A chart is its metadata (Chart.yaml, rewritten from the typed form, so comments and unknown keys go), its own files
byte for byte, and the charts inside `charts/`, each a folder with a Chart.yaml or a .tgz. Saving puts every chart's
members in Helm's order and sub-charts, sorted by name, under `charts/<name>/`; folders in `charts/` whose names start
with `_` or `.` are left out (reference/ksbuilder.md 3.1-3.2).

Values and templates are only carried here; rendering belongs to `dovetail.helm`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from tarfile import BLOCKSIZE
from typing import Final

import msgspec

from dovetail.packaging.archive import read_archive
from dovetail.packaging.canonical import dump
from dovetail.packaging.chart_file import CHART_FILE, ChartLock, ChartMetadata, chart_yaml, checked, decoded, serialised
from dovetail.packaging.errors import InvalidChart, PackagingError, TooLarge
from dovetail.packaging.limits import MAX_CHART_DEPTH, MAX_TOTAL

VALUES_FILE: Final = "values.yaml"
SCHEMA_FILE: Final = "values.schema.json"
LOCK_FILE: Final = "Chart.lock"
_SHRINK: Final = "Carry fewer or smaller charts"
_REQUIREMENTS: Final = ("requirements.yaml", "requirements.lock")


@dataclass(frozen=True, slots=True)
class Chart:
    """`files` are the chart's own files without Chart.yaml and Chart.lock, in load order; `charts` those inside it."""

    metadata: ChartMetadata
    files: Mapping[str, bytes]
    charts: tuple["Chart", ...] = ()
    lock: ChartLock | None = None

    @property
    def name(self) -> str:
        """The chart's name, which is the folder it is saved in."""
        return self.metadata.name

    def members(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Every file of the saved chart with its path, in Helm's order."""
        base = f"{prefix}{self.name}/"
        yield base + CHART_FILE, chart_yaml(self.metadata)
        if self.lock is not None and self.metadata.api_version == "v2":
            yield base + LOCK_FILE, dump(serialised(self.lock)).encode()
        order = sorted(self.files, key=_rank)
        yield from ((base + path, self.files[path]) for path in order)
        for chart in sorted(self.charts, key=lambda chart: chart.name):
            yield from chart.members(f"{base}charts/")


def _rank(path: str) -> int:
    if path in (VALUES_FILE, SCHEMA_FILE):
        return (VALUES_FILE, SCHEMA_FILE).index(path)
    return 2 if path.startswith("templates/") else 3


class _Room:
    """What the archives inside a chart may unpack to, all together: each alone can be a hundred times its size."""

    def __init__(self) -> None:
        self._left = MAX_TOTAL

    def unpack(self, data: bytes) -> Mapping[str, bytes]:
        files = read_archive(data, self._left).files
        self._left -= sum(map(len, files.values())) + len(files) * BLOCKSIZE
        if self._left < 0:
            raise TooLarge("The package with its archives, unpacked,", MAX_TOTAL - self._left, MAX_TOTAL, _SHRINK)
        return files


def load_chart(files: Mapping[str, bytes], place: str) -> Chart:
    """Load a chart from its files. `place` names it in errors. Raises InvalidChart and what reading YAML raises."""
    return _load(files, place, 0, _Room())


def _load(files: Mapping[str, bytes], place: str, depth: int, room: _Room) -> Chart:
    if depth > MAX_CHART_DEPTH:
        raise InvalidChart(place, "charts are nested too deeply", f"Nest at most {MAX_CHART_DEPTH}")
    metadata = _read_chart_yaml(files, place)
    own = {path: data for path, data in files.items() if _is_own(path, metadata.api_version)}
    _check_schema(own, place)
    charts = tuple(_sub_charts(files, place, depth, room))
    _check_unique(charts, place)
    return Chart(metadata, own, charts, _read_lock(files, metadata, place))


def _is_own(path: str, api_version: str) -> bool:
    if path in (CHART_FILE, LOCK_FILE):
        return False
    if path in _REQUIREMENTS:
        return api_version == "v1"
    return not path.startswith("charts/") or path.endswith(".prov")


def _read_chart_yaml(files: Mapping[str, bytes], place: str) -> ChartMetadata:
    file = f"{place}/{CHART_FILE}"
    if CHART_FILE not in files:
        raise InvalidChart(place, f"{CHART_FILE} is missing", "Add it, or remove the folder from charts/")
    metadata = decoded(files[CHART_FILE], ChartMetadata, file)
    metadata = msgspec.structs.replace(metadata, api_version=metadata.api_version or "v1")
    if "requirements.yaml" in files:
        extra = decoded(files["requirements.yaml"], ChartMetadata, f"{place}/requirements.yaml")
        metadata = msgspec.structs.replace(metadata, dependencies=extra.dependencies or metadata.dependencies)
    return checked(metadata, file)


def _read_lock(files: Mapping[str, bytes], metadata: ChartMetadata, place: str) -> ChartLock | None:
    if metadata.api_version != "v2":
        return None
    name = next((name for name in (LOCK_FILE, "requirements.lock") if name in files), None)
    if name is None:
        return None
    return decoded(files[name], ChartLock, f"{place}/{name}")


def _check_schema(files: Mapping[str, bytes], place: str) -> None:
    if SCHEMA_FILE in files:
        try:
            json.loads(files[SCHEMA_FILE])
        except (ValueError, RecursionError) as error:
            raise InvalidChart(f"{place}/{SCHEMA_FILE}", f"it is not JSON ({error})", "Correct it") from error


def _sub_charts(files: Mapping[str, bytes], place: str, depth: int, room: _Room) -> Iterator[Chart]:
    folders: dict[str, dict[str, bytes]] = {}
    for path, data in files.items():
        if path.startswith("charts/") and not path.endswith(".prov"):
            folder, _, rest = path.removeprefix("charts/").partition("/")
            folders.setdefault(folder, {})[rest] = data
    for folder, inside in folders.items():
        if folder[0] in "_.":
            continue
        where = f"{place}/charts/{folder}"
        if folder.endswith(".tgz"):
            inside = _unpacked(inside, where, room)
        elif "" in inside:
            raise InvalidChart(where, "it is neither a chart's folder nor a .tgz", "Move it out of charts/")
        yield _load(inside, where, depth + 1, room)


def _unpacked(inside: Mapping[str, bytes], place: str, room: _Room) -> Mapping[str, bytes]:
    if "" not in inside:
        raise InvalidChart(place, "it is a folder named like an archive", "Rename the folder")
    try:
        return room.unpack(inside[""])
    except PackagingError as error:
        raise InvalidChart(place, str(error).rstrip("."), "Pack the sub-chart again") from error


def _check_unique(charts: tuple[Chart, ...], place: str) -> None:
    seen: set[str] = set()
    for chart in charts:
        if chart.name in seen:
            raise InvalidChart(f"{place}/charts", f"two sub-charts are named {chart.name!r}", "Remove or rename one")
        seen.add(chart.name)
