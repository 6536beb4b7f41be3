"""APIService: an API of an extension under `/kapis/<group>/<version>`, and further paths, with its backend."""

import re
from typing import Final

import msgspec

from dovetail.apis.dialects.backend import Backend, read_backend
from dovetail.apis.dialects.meta import Meta, State, open_object, read_state
from dovetail.apis.dialects.reading import Fields, Foreign, finish

_GROUP: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
_VERSION: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class APIService(msgspec.Struct, frozen=True, kw_only=True):
    """An API and who serves it. Group and version are both set or both empty."""

    meta: Meta
    group: str
    version: str
    non_resource_urls: tuple[str, ...] = ()
    backend: Backend
    status: State = State()


def api_service(obj: Foreign) -> APIService:
    """Read an APIService of either group. Raises InvalidObject."""
    opened = open_object(obj, "APIService")
    group, version = _group_version(opened.spec)
    urls = opened.spec.texts("nonResourceURLs")
    if not group and not version and not urls:
        opened.spec.fail("group", "is needed, with version (or give nonResourceURLs)")
    model = APIService(
        meta=opened.meta,
        group=group,
        version=version,
        non_resource_urls=urls,
        backend=read_backend(opened.spec) or Backend(),
        status=read_state(opened.status),
    )
    return finish(model, "APIService", opened.meta.name, opened.errors)


def _group_version(spec: Fields) -> tuple[str, str]:
    group, version = spec.text("group"), spec.text("version")
    if group and (len(group) > 253 or not _GROUP.fullmatch(group)):
        spec.fail("group", "must be a DNS name in lower case, such as devops.example.org")
    if version and not _VERSION.fullmatch(version):
        spec.fail("version", "must be a version such as v1alpha1")
    if bool(group) != bool(version):
        spec.fail("version" if group else "group", "is needed: group and version go together")
    return group, version
