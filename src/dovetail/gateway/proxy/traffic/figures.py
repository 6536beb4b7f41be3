"""What a worker tells of its traffic rules, in Prometheus' text format. Backends that share a name are summed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from dovetail.gateway.figures import escape
from dovetail.gateway.proxy.traffic.guard import Guard
from dovetail.gateway.proxy.traffic.limiter import Limiter

_STATES: Final = {"closed": 0, "half-open": 1, "open": 2}
_PREFIX: Final = "dovetail_gateway_"


def figures(guards: Iterable[Guard], limiter: Limiter) -> str:
    """All of it."""
    under_way: Counter[tuple[str, ...]] = Counter()
    connections, waiting, retrying, retried, ejected, refused = (Counter[tuple[str, ...]]() for _ in range(6))
    circuits: dict[tuple[str, ...], int] = {}
    for guard in guards:
        name = (guard.name,)
        under_way[name] += guard.requests
        connections[name] += guard.connections
        waiting[name] += len(guard.waiting)
        retrying[name] += guard.retries
        retried[name] += guard.retried
        ejected[name] += guard.ejected
        for limit, count in guard.refused.items():
            refused[guard.name, limit] += count
        for address, state in guard.circuits().items():
            circuits[guard.name, address] = _STATES[state]
    one, limits, addresses = ("backend",), ("backend", "limit"), ("backend", "address")
    lines = [
        *_series("backend_requests", "gauge", one, under_way),
        *_series("backend_connections", "gauge", one, connections),
        *_series("backend_waiting", "gauge", one, waiting),
        *_series("backend_retrying", "gauge", one, retrying),
        *_series("retries_total", "counter", one, retried),
        *_series("ejections_total", "counter", one, ejected),
        *_series("breaker_refused_total", "counter", limits, refused),
        *_series("circuit_state", "gauge", addresses, circuits),
        *_series("rate_limit_buckets_evicted_total", "counter", (), {(): limiter.evicted}),
        *_series("rate_limit_unlocked_total", "counter", (), {(): limiter.unlocked}),
    ]
    return "".join(f"{line}\n" for line in lines)


def _series(name: str, kind: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], int]) -> Iterator[str]:
    if not values:
        return
    yield f"# TYPE {_PREFIX}{name} {kind}"
    for key, value in sorted(values.items()):
        pairs = ",".join(f'{label}="{escape(text)}"' for label, text in zip(labels, key, strict=True))
        yield f"{_PREFIX}{name}{{{pairs}}} {value}" if pairs else f"{_PREFIX}{name} {value}"
