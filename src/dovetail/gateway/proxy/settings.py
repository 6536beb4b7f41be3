"""How a worker is set up, and the limits on what a client or a backend may do. Times in seconds, sizes in bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is refused, cut off or answered with an error beyond these."""

    start_line: int = 16 << 10
    headers: int = 128
    header_bytes: int = 64 << 10
    trailers: int = 32
    trailer_bytes: int = 8 << 10
    """Of a request's or an answer's trailers; names, values and what separates them."""
    connections: int = 20_000
    connections_per_address: int = 10_000
    queued_requests: int = 64
    """Pipelined requests that wait behind the one being served."""
    requests: int = 1_000_000
    """On one connection: the last one's answer says that it ends."""
    connection_age: float = 3600.0
    """After this a connection ends with the next answer, so that clients find new workers."""
    buffer: int = 256 << 10
    """How much is held for a side that does not take it, before the other side is paused."""
    handshake_timeout: float = 10.0
    """For TLS, from the connection to the end of the handshake."""
    head_timeout: float = 15.0
    """From the first byte of a request (or the connection) to the end of its head."""
    body_timeout: float = 60.0
    """Longest silence inside a request's body."""
    body_rate: float = 256.0
    """Bytes a second at which a body must come, over each `body_timeout`, until the answer begins."""
    keep_alive: float = 75.0
    write_timeout: float = 120.0
    """How long a client may leave an answer unread."""
    linger: float = 2.0
    """How long a client whose last request was not read to its end may be silent before it is cut off."""
    longest_linger: float = 30.0
    """How long what such a client still sends is read and thrown away, so that it gets to see the answer."""
    response_head: int = 256 << 10
    idle_upstreams: int = 1024
    """Idle connections kept for each backend."""
    idle_upstream_age: float = 30.0
    fresh_for_unsafe: float = 1.0
    """A kept connection is used for a request that cannot be repeated only if it was used this lately."""
    drain: float = 5.0
    """How long a stopping worker lets requests finish."""
    drain_idle: float = 0.5
    """How long a stopping worker leaves idle connections open, so that a request that is on its way has an answer."""

    @classmethod
    def of(cls, changed: Mapping[str, str]) -> "Limits":
        """The limits with some of them changed, as an operator writes them. Raises ValueError."""
        usual = cls()
        kinds: dict[str, type[float]] = {field.name: type(getattr(usual, field.name)) for field in fields(cls)}
        values: dict[str, float] = {}
        for name, text in changed.items():
            if name not in kinds:
                raise ValueError(f"there is no limit {name!r}; there are {', '.join(sorted(kinds))}")
            try:
                values[name] = kinds[name](text)
            except ValueError:
                raise ValueError(f"{name} is a number, not {text!r}") from None
            if not 0 < values[name] < float("inf"):
                raise ValueError(f"{name} must be more than nothing")
        return cls(**values)  # pyright: ignore[reportArgumentType] - each is of its field's kind


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Where to listen and whom to follow. With a certificate the worker serves HTTPS."""

    host: str = "127.0.0.1"
    port: int = 30880
    snapshot_socket: Path
    tls_cert: Path | None = None
    tls_key: Path | None = None
    metrics_socket: Path | None = None
    """Where this worker's metrics can be read (`scraping`); nowhere by default."""
    limits: Limits = Limits()
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies in front whose X-Forwarded-For and -Proto are believed."""
