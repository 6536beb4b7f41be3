"""Errors of this room.

ConsoleError
+-- SocketInUse     another process listens on our Unix socket
+-- FetchFailed     a bundle could not be fetched from its address or Service
"""

from pathlib import Path


class ConsoleError(Exception):
    """Root of the errors of `dovetail.console`."""


class SocketInUse(ConsoleError):
    """Another console serves on this socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"Another process listens on {path}. Stop it, or choose another data directory.")


class FetchFailed(ConsoleError):
    """The backend of a bundle or of one of its files did not give the bytes. `address` has no credentials in it."""

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        self.why = why
        super().__init__(f"{address} could not be fetched: {why}. It is tried again by itself.")
