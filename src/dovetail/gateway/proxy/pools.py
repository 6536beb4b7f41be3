"""The pools of all backends of the table in force; with several addresses or a breaker, a pool has lanes."""

from collections.abc import Container, Mapping

from dovetail.gateway.proxy.pool import Pool
from dovetail.gateway.proxy.settings import Limits
from dovetail.gateway.proxy.traffic.guard import Guards
from dovetail.gateway.proxy.traffic.lanes import Lanes
from dovetail.routing.model import Upstream


class Pools:
    """A pool for each backend, made when it is first needed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._pools: dict[str, Pool] = {}
        self.guards = Guards()

    def of(self, upstream: Upstream) -> Pool:
        """The pool of a backend."""
        pool = self._pools.get(upstream.key)
        if pool is None:
            pool = self._pools[upstream.key] = self._make(upstream)
        return pool

    def _make(self, upstream: Upstream) -> Pool:
        if upstream.breaker is None and len(upstream.addresses) < 2:
            return Pool(upstream, self._limits)
        return Lanes(upstream, self._limits, self.guards.of(upstream))

    def adopt(self, upstreams: Mapping[str, Upstream]) -> None:
        """Another table is in force."""
        self._keep_only(upstreams)
        self.guards.adopt(upstreams)

    def _keep_only(self, keys: Container[str]) -> None:
        for key in [key for key in self._pools if key not in keys]:
            self._pools.pop(key).close()

    def sweep(self, now: float) -> None:
        """Close idle connections that are too old, everywhere."""
        for pool in self._pools.values():
            pool.sweep(now)
        self.guards.sweep()

    def close(self) -> None:
        """Close everything that is idle."""
        self._keep_only(())
