"""What a worker counts, in Prometheus' text format. Cheap enough for every request."""

from collections import Counter
from collections.abc import Mapping, Set
from types import MappingProxyType

from dovetail.gateway.figures import escape

_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)

_GONE = "(gone)"
_MOST_ANSWERS = 20_000


class Metrics:
    """Counters of one worker; `render` is what a scrape gets."""

    def __init__(self, reports_dropped: Mapping[str, int] = MappingProxyType({})) -> None:
        self._reports_dropped = reports_dropped
        self._answers: Counter[tuple[int, str]] = Counter()
        self._most = _MOST_ANSWERS
        self._slower: Counter[float] = Counter()
        self._seconds = 0.0
        self.connections = 0
        self.accepted = 0
        self.turned_away = 0
        self.generation = 0

    def answered(self, code: int, route: str, seconds: float = 0.0) -> None:
        """One request has had its answer."""
        self._answers[code, route] += 1
        self._seconds += seconds
        for bound in _BUCKETS:
            if seconds <= bound:
                self._slower[bound] += 1
                break

    def keep_only(self, routes: Set[str]) -> None:
        """Forget the names of routes that have gone; what they counted stays in the sum, under one name."""
        for code, route in [key for key in self._answers if key[1] not in routes]:
            if route not in ("", _GONE):
                self._answers[code, _GONE] += self._answers.pop((code, route))
        self._most = max(_MOST_ANSWERS, 2 * len(self._answers))

    @property
    def large(self) -> bool:
        """Much more is remembered than was in force the last time: `keep_only` makes it less, without a scrape."""
        return len(self._answers) > self._most

    def render(self) -> str:
        """All of it."""
        lines = ["# TYPE dovetail_gateway_requests_total counter"]
        for (code, route), count in sorted(self._answers.items()):
            lines.append(f'dovetail_gateway_requests_total{{code="{code}",route="{escape(route)}"}} {count}')
        lines.append("# TYPE dovetail_gateway_request_duration_seconds histogram")
        total = 0
        for bound in _BUCKETS:
            total += self._slower[bound]
            lines.append(f'dovetail_gateway_request_duration_seconds_bucket{{le="{bound:g}"}} {total}')
        count = sum(self._answers.values())
        lines.append(f'dovetail_gateway_request_duration_seconds_bucket{{le="+Inf"}} {count}')
        lines.append(f"dovetail_gateway_request_duration_seconds_sum {self._seconds:.6f}")
        lines.append(f"dovetail_gateway_request_duration_seconds_count {count}")
        for name, kind, value in (
            ("connections", "gauge", self.connections),
            ("connections_accepted_total", "counter", self.accepted),
            ("connections_refused_total", "counter", self.turned_away),
            ("snapshot_generation", "gauge", self.generation),
        ):
            lines += [f"# TYPE dovetail_gateway_{name} {kind}", f"dovetail_gateway_{name} {value}"]
        lines.append("# TYPE dovetail_gateway_reports_dropped_total counter")
        for kind, count in sorted(self._reports_dropped.items()):
            lines.append(f'dovetail_gateway_reports_dropped_total{{kind="{escape(kind)}"}} {count}')
        return "\n".join(lines) + "\n"
