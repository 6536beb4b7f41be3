"""/metrics: counters of the server in the text format of Prometheus, under the names of kube-apiserver.

Model. The application reports each finished request with one call (``observed``), and counts what runs (``running``).
Labels come from the catalogue only, never from what a client sent: the number of series is bounded. What can be asked
for at any time (objects stored, memory) is read when somebody scrapes.
"""

from __future__ import annotations

import os
import resource as limits
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from ..requests import RequestInfo
from .version import version_info

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0,
    45.0, 60.0,
)  # fmt: skip
_VERBS = {"create": "POST", "update": "PUT"}
_READS = frozenset(("get", "list", "watch"))

Labels = tuple[str, str, str, str, str, str]
"""verb, group, version, resource, subresource, scope"""


class _Histogram:
    __slots__ = ("count", "counts", "total")

    def __init__(self) -> None:
        self.counts, self.count, self.total = [0] * len(_BUCKETS), 0, 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total += seconds
        place = bisect_left(_BUCKETS, seconds)
        if place < len(_BUCKETS):
            self.counts[place] += 1


class Metrics:
    """``gauges`` give, at each scrape, numbers by metric name and label text (``{"name": {'a="b"': 1}}``)."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[Labels, int]] = Counter()
        self._durations: dict[Labels, _Histogram] = {}
        self._running: Counter[str] = Counter()
        self._watches: Counter[Labels] = Counter()
        self._started = time.time()
        self.gauges: list[Callable[[], Mapping[str, Mapping[str, float]]]] = []

    def observed(self, info: RequestInfo, code: int, seconds: float) -> None:
        """A request for something that is served was answered. Watches count when they begin."""
        labels = _labels(info)
        if code in (404, 405):  # the name of a subresource that does not exist is the client's
            labels = (*labels[:4], "", labels[5])
        self._requests[labels, code] += 1
        histogram = self._durations.get(labels)
        if histogram is None:
            histogram = self._durations[labels] = _Histogram()
        histogram.add(seconds)

    def running(self, info: RequestInfo, step: int) -> None:
        """One more (1) or one less (-1) request is under way."""
        if info.verb == "watch":
            self._watches[_labels(info)] += step
        else:
            self._running["readOnly" if info.verb in _READS else "mutating"] += step

    def text(self) -> bytes:
        lines = [line for part in (self._request_lines(), self._process_lines(), self._gauge_lines()) for line in part]
        return ("\n".join(lines) + "\n").encode()

    def _request_lines(self) -> Iterator[str]:
        yield from _head("apiserver_request_total", "counter", "Requests by verb, resource and code.")
        for (labels, code), count in sorted(self._requests.items()):
            yield f'apiserver_request_total{{code="{code}",component="apiserver",{_shown(labels)}}} {count}'
        yield from _head("apiserver_request_duration_seconds", "histogram", "Response latency in seconds.")
        for labels, histogram in sorted(self._durations.items(), key=lambda pair: pair[0]):
            yield from _histogram_lines(labels, histogram)
        yield from _head("apiserver_current_inflight_requests", "gauge", "Requests under way, without watches.")
        for kind in ("mutating", "readOnly"):
            yield f'apiserver_current_inflight_requests{{request_kind="{kind}"}} {self._running[kind]}'
        yield from _head("apiserver_longrunning_requests", "gauge", "Watches under way.")
        for labels, count in sorted(self._watches.items()):
            yield f'apiserver_longrunning_requests{{component="apiserver",{_shown(labels)}}} {count}'

    def _process_lines(self) -> Iterator[str]:
        info = version_info()
        names = {
            "build_date": "buildDate", "compiler": "compiler", "git_commit": "gitCommit",
            "git_tree_state": "gitTreeState", "git_version": "gitVersion", "go_version": "goVersion", "major": "major",
            "minor": "minor", "platform": "platform",
        }  # fmt: skip
        labels = ",".join(f'{name}="{info[field]}"' for name, field in names.items())
        yield from _head("kubernetes_build_info", "gauge", "The version that is served.")
        yield f"kubernetes_build_info{{{labels}}} 1"
        usage = limits.getrusage(limits.RUSAGE_SELF)
        virtual, resident = _memory()
        numbers = {
            "process_cpu_seconds_total": usage.ru_utime + usage.ru_stime, "process_start_time_seconds": self._started,
            "process_resident_memory_bytes": resident, "process_virtual_memory_bytes": virtual,
            "process_open_fds": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
            "process_max_fds": limits.getrlimit(limits.RLIMIT_NOFILE)[0],
        }  # fmt: skip
        for name, number in numbers.items():
            yield from _head(name, "counter" if name.endswith("_total") else "gauge", "Of the server's process.")
            yield f"{name} {number}"

    def _gauge_lines(self) -> Iterator[str]:
        for read in self.gauges:
            for name, values in read().items():
                yield from _head(name, "gauge", "See kube-apiserver's metric of this name.")
                for labels, number in values.items():
                    yield f"{name}{{{labels}}} {number}" if labels else f"{name} {number}"


def _labels(info: RequestInfo) -> Labels:
    verb = _VERBS.get(info.verb, info.verb.upper())
    if not info.is_resource:
        return verb, "", "", "", info.path, ""
    scope = "resource" if info.name else "namespace" if info.namespace else "cluster"
    return verb, info.group, info.version, info.plural, info.subresource, scope


def _shown(labels: Labels) -> str:
    verb, group, version, plural, subresource, scope = labels
    return (
        f'dry_run="",group="{group}",resource="{plural}",scope="{scope}",subresource="{subresource}",verb="{verb}",'
        f'version="{version}"'
    )


def _histogram_lines(labels: Labels, histogram: _Histogram) -> Iterator[str]:
    shown, so_far, name = f'component="apiserver",{_shown(labels)}', 0, "apiserver_request_duration_seconds"
    for edge, count in zip(_BUCKETS, histogram.counts, strict=True):
        so_far += count
        yield f'{name}_bucket{{{shown},le="{edge:g}"}} {so_far}'
    yield f'{name}_bucket{{{shown},le="+Inf"}} {histogram.count}'
    yield f"{name}_sum{{{shown}}} {histogram.total:.9f}"
    yield f"{name}_count{{{shown}}} {histogram.count}"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _memory() -> tuple[int, int]:
    """(virtual, resident) bytes; zero where /proc is missing."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            virtual, resident = statm.read().split()[:2]
    except OSError:
        return 0, 0
    page = os.sysconf("SC_PAGE_SIZE")
    return int(virtual) * page, int(resident) * page
