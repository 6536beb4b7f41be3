"""The packages of the simulation: real archives for who reads them, and what Helm would make of them.

Three extensions, a few versions each, and rebuilt packages under an old version number. The archives are as small as
an archive can be; the templates are not in them, because no Go runs here: `objects` is what they would render to.
"""

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import yaml

EXTENSIONS = ("alpha", "beta", "gamma")
VERSIONS = ("1.0.0", "1.1.0", "2.0.0")
EXTENSION_REF = "kubesphere.io/extension-ref"
Object = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """One build of one version of one extension."""

    extension: str
    version: str
    build: int
    data: bytes
    digest: str
    needs: tuple[str, ...] = ()


_BY_DATA: dict[bytes, Chart] = {}


@lru_cache(maxsize=256)
def chart(extension: str, version: str, build: int = 0, needs: tuple[str, ...] = ()) -> Chart:
    depends = "".join(f"- {{name: {name}, type: extension, version: '>=1.0.0', required: true}}\n" for name in needs)
    metadata = (
        f"apiVersion: v1\nname: {extension}\nversion: {version}\ndisplayName: {{en: {extension}}}\n"
        "installationMode: Multicluster\n"
        "description: {en: simulated}\ncategory: dev-tools\nprovider: {en: {name: tests}}\nicon: https://i.test/x.svg\n"
    ) + (f"externalDependencies:\n{depends}" if needs else "")
    rules = "- verbs: ['*']\n  apiGroups: [extensions.kubesphere.io]\n  resources: ['*']\n"
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {extension}\nversion: {version}\ndescription: build {build}\n",
        "extension.yaml": metadata,
        "permissions.yaml": f"kind: ClusterRole\nrules:\n{rules}",
        "values.yaml": "color: red\n",
    }
    data = _archive({f"{extension}/{path}": text for path, text in files.items()})
    made = Chart(extension, version, build, data, hashlib.sha256(data).hexdigest(), needs)
    _BY_DATA[data] = made
    return made


def chart_of(data: bytes) -> Chart | None:
    """The chart in an archive, if it is one of ours."""
    return _BY_DATA.get(data)


def objects(of: Chart, namespace: str, config: str, labels: dict[str, str]) -> list[Object]:
    """What the chart renders to."""
    color = color_of(config)
    ext = of.extension
    found: list[Object] = [
        _object("v1", "ConfigMap", f"{ext}-settings", labels, namespace)
        | {"data": {"color": color, "version": of.version, "build": str(of.build)}},
        _object("v1", "ConfigMap", f"{ext}-only-{of.version}", labels, namespace),
        _object("extensions.kubesphere.io/v1alpha1", "JSBundle", ext, labels)
        | {"spec": {"raw": "MQ=="}, "status": {"state": "Available", "link": f"/dist/{ext}/{of.version}.js"}},
    ]
    if of.version != VERSIONS[0]:
        matcher = {"matcher": {"path": f"/proxy/{ext}/*", "method": "*"}}
        found.append(_object("extensions.kubesphere.io/v1alpha1", "ReverseProxy", ext, labels) | {"spec": matcher})
    return found


@lru_cache(maxsize=512)
def color_of(config: str) -> str:
    values = yaml.safe_load(config) if config.strip() else {}
    return str((values or {}).get("color", "red"))


def manifest(rendered: list[Object]) -> str:
    """As Helm keeps it: documents of YAML (JSON is YAML)."""
    return "\n---\n".join(orjson.dumps(obj).decode() for obj in rendered)


def documents(text: str) -> list[Object]:
    """The objects of such a text."""
    parts = [part.strip() for part in text.split("\n---\n")]
    return [orjson.loads(part) if part.startswith("{") else yaml.safe_load(part) for part in parts if part]


def _object(api_version: str, kind: str, name: str, labels: dict[str, str], namespace: str = "") -> Object:
    meta: Object = {"name": name, "labels": dict(labels)}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": meta}


def _archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)
