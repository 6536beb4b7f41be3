"""A package in ConfigMaps: one if it fits, otherwise several.

A ConfigMap holds at most 1 MiB. A larger package is cut at PART bytes; the first ConfigMap, which the version names,
says in an annotation how many there are, and the version's digest tells whether what was read belongs together.
"""

from typing import Final

MAX_CONFIGMAP: Final = 1024 * 1024
"""Bytes of data that a Kubernetes API accepts in one ConfigMap."""
PART: Final = 900 * 1024
"""Bytes of a package in each of several ConfigMaps: as base64 in JSON still below what etcd takes in a request."""
MAX_PARTS: Final = 32
PARTS: Final = "dovetail.dev/parts"
"""The annotation of the first ConfigMap: how many there are, itself included."""


def split(data: bytes) -> list[bytes]:
    """The parts of a package."""
    size = MAX_CONFIGMAP if len(data) <= MAX_CONFIGMAP else PART
    return [data[at : at + size] for at in range(0, len(data), size)]


def part_name(first: str, number: int) -> str:
    """The ConfigMap of a part; the first is number 1."""
    return first if number == 1 else f"{first}.{number}"
