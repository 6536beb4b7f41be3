"""Helm's own records as it stores them: Secrets, one a revision, with the release packed inside."""

import base64
import gzip
from collections.abc import Callable, Mapping
from functools import lru_cache

import orjson

from tests.simulation import charts
from tests.simulation.api import MemoryApi, Object
from tests.simulation.kinds import SECRET

Write = Callable[[str, Object], None]
"""Create or patch the Secret of this name. Raises what Helm's caller is told."""
Revision = tuple[int, str, Object]
"""(number, status, Secret)"""
RELEASE_NAME, RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"


class Record:
    """A revision in Helm's storage."""

    def __init__(self, write: Write, release: str, number: int, text: str, labels: Mapping[str, str]) -> None:
        self.number = number
        self._write, self._release, self._text, self._labels = write, release, text, labels

    def write(self, status: str, description: str) -> None:
        marks = {"owner": "helm", "name": self._release, "status": status, "version": str(self.number)}
        name = secret_name(self._release, self.number)
        self._write(name, {
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": name, "labels": {**self._labels, **marks}},
            "data": {"release": _packed(self._text, status, description)},
        })  # fmt: skip


def relabel(write: Write, secret: Object, status: str) -> None:
    """Give the revision in a Secret another status."""
    name = secret["metadata"]["name"]
    write(name, {
        "metadata": {"name": name, "labels": {"status": status}},
        "data": {"release": _packed(text_of(secret), status, status)},
    })  # fmt: skip


def stored(api: MemoryApi, namespace: str, release: str) -> list[Revision]:
    """Every revision, oldest first."""
    found = api.all(SECRET, namespace, f"owner=helm,name={release}")
    marks = [(obj["metadata"]["labels"], obj) for obj in found]
    return sorted(((int(m["version"]), m["status"], obj) for m, obj in marks), key=lambda entry: entry[0])


def objects_in_force(revisions: list[Revision]) -> list[Object]:
    """Of the revision in force; of the last, if none is."""
    deployed = [secret for _, status, secret in revisions if status == "deployed"]
    return charts.documents(text_of(deployed[-1] if deployed else revisions[-1][2]))


def secret_name(release: str, number: int) -> str:
    return f"sh.helm.release.v1.{release}.v{number}"


@lru_cache(maxsize=4096)
def _packed(text: str, status: str, description: str) -> str:
    record = {"info": {"status": status, "description": description}, "manifest": text, "hooks": []}
    return base64.b64encode(base64.b64encode(gzip.compress(orjson.dumps(record), 1, mtime=0))).decode()


@lru_cache(maxsize=4096)
def _unpacked(data: str) -> str:
    return str(orjson.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))["manifest"])


def text_of(secret: Object) -> str:
    return _unpacked(secret["data"]["release"])


def version_in(text: str) -> str:
    return next((str(obj["data"]["version"]) for obj in charts.documents(text) if "version" in obj.get("data", {})), "")


def own_labels(secret: Object) -> dict[str, str]:
    helms = ("owner", "name", "status", "version")
    return {key: value for key, value in secret["metadata"]["labels"].items() if key not in helms}


def identity(obj: Object) -> tuple[str, str]:
    """Kind and name."""
    return obj["kind"], obj["metadata"]["name"]


def owned(obj: Object, release: str, namespace: str) -> Object:
    """The object with Helm's marks."""
    meta = obj["metadata"]
    marks = {**meta.get("labels", {}), "app.kubernetes.io/managed-by": "Helm"}
    return {
        **obj,
        "metadata": {**meta, "labels": marks, "annotations": {RELEASE_NAME: release, RELEASE_NAMESPACE: namespace}},
    }
