"""The package's `crds/`: made, and brought in line by the plan's policy, instead of Helm, which only ever makes them.

A definition belongs to the extension that made it (its annotation says so, or the records of the release): one of ours
is replaced when the change is safe for what is stored (`preview.crd_safety`), or when somebody allowed the unsafe one.
One of somebody else's is never changed: it is used as it is when it serves every version that ours would, and told so;
otherwise the deployment is refused. Everything is decided before anything is changed, and done as the extension's own
account. Definitions stay when the extension goes, as with Helm.

`ruling` is the rule, pure; `Definitions` asks and writes. Whether two definitions differ says the API itself, by a
replacement that it only pretends: it fills in defaults and leaves out what means nothing.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, cast

from dovetail.apis import labels
from dovetail.kube import (
    CRDS,
    AlreadyExists,
    ApiError,
    Client,
    Forbidden,
    NotFound,
    Resource,
    UnknownKind,
    annotations_of,
    labels_of,
)
from dovetail.kube.conditions import is_true
from dovetail.lifecycle.access import account_user
from dovetail.lifecycle.errors import ForeignDefinition, MissingPermission, UnsafeDefinition
from dovetail.lifecycle.manifests import objects_of
from dovetail.lifecycle.objects import conditions_of, mapping, spec_of, status_of
from dovetail.lifecycle.ownership import NOBODY, Made, Owner
from dovetail.lifecycle.steps import DEFINITIONS, Report, Step, named

KIND: Final = "CustomResourceDefinition"
OWNER: Final = "dovetail.dev/crd-of"
"""Annotation of a definition: the extension that made it. No label, for what has the label goes with the extension."""
ESTABLISHED: Final = 60.0
_LOOK: Final = 0.1
Policy = Literal["Skip", "Create", "CreateReplace"]
Object = dict[str, Any]


class Ruling(Enum):
    """What is to be done about one definition."""

    MAKE = "make"
    REPLACE = "replace"
    KEEP = "keep"
    USE = "use"
    """Somebody else's, and it serves what ours would."""
    FOREIGN = "foreign"
    """Somebody else's, and it does not."""


def ruling(found: Mapping[str, Any] | None, wanted: Mapping[str, Any], policy: Policy, *, owner: str | None) -> Ruling:
    """What to do. `owner` None: ours; `found` None: there is none."""
    if policy == "Skip":
        return Ruling.KEEP
    if found is None:
        return Ruling.MAKE
    if owner is None:
        return Ruling.REPLACE if policy == "CreateReplace" else Ruling.KEEP
    return Ruling.USE if _served(wanted) <= _served(found) else Ruling.FOREIGN


def owner_of(found: Mapping[str, Any], me: Owner, *, known: bool) -> str | None:
    """Whose a definition is: None for ours, NOBODY for one without any marks."""
    extension = annotations_of(found).get(OWNER) or labels_of(found).get(labels.EXTENSION_REF, NOBODY)
    release = annotations_of(found).get(labels.HELM_RELEASE_NAME, NOBODY)
    place = annotations_of(found).get(labels.HELM_RELEASE_NAMESPACE, NOBODY)
    if extension not in (NOBODY, me.extension):
        return f"extension {extension}"
    if release and (release, place) != (me.release, me.namespace):
        return f"Helm release {place}/{release}"
    return None if extension or release or known else NOBODY


@dataclass(frozen=True)
class Deed:
    """One write: `content` is made, or takes the place of what is there."""

    resource: Resource
    content: Object
    replace: bool


@dataclass(frozen=True)
class Decided:
    """Everything that is to be done about `crds/`; `notes` are for the user.

    `ours` is what the release's record shall have as its `crds/`: without what is somebody else's, because the next
    upgrade, and the uninstall, take the record's word for it.
    """

    deeds: tuple[Deed, ...] = ()
    ours: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


class Definitions:
    """`decide` changes nothing and refuses; `carry_out` writes."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def decide(
        self, crds: Sequence[tuple[str, str]], me: Owner, policy: Policy, made: Made, *, allow_unsafe: bool
    ) -> Decided:
        """What is to be done. `made` gives the `crds/` of the release's records; it is asked only about the unmarked.

        Raises ForeignDefinition, UnsafeDefinition, KubeError.
        """
        if not crds or policy == "Skip":
            return Decided()
        wanted = await asyncio.to_thread(_read, crds)
        deeds: list[Deed] = []
        notes: list[str] = []
        ours: list[Object] = []
        for content in wanted.values():
            if content["kind"] != KIND:
                deeds += await self._beside(content)
                continue
            deed, note = await self._one(content, me, policy, made, allow_unsafe=allow_unsafe)
            deeds += [deed] if deed else []
            notes += [note] if note else []
            ours += [] if note else [content]
        texts = ((f"crds/{one['metadata']['name']}.json", json.dumps(one)) for one in ours)
        return Decided(tuple(deeds), tuple(texts), tuple(notes))

    async def carry_out(self, decided: Decided, me: Owner, report: Report) -> None:
        """Write as the extension's account and wait until the kinds are served. Raises MissingPermission, KubeError."""
        if not decided.deeds:
            return
        account = self._client.impersonate(account_user(me.extension, me.namespace))
        for deed in decided.deeds:
            name = str(deed.content["metadata"]["name"])
            report(Step(DEFINITIONS.percent, DEFINITIONS.what, named(deed.resource.kind, "", name)))
            await _write(account, deed, me)
        for deed in decided.deeds:
            if deed.resource is CRDS:
                await self._established(str(deed.content["metadata"]["name"]))
        self._client.forget_discovery()

    async def _one(
        self, content: Object, me: Owner, policy: Policy, made: Made, *, allow_unsafe: bool
    ) -> tuple[Deed | None, str]:
        name = str(content["metadata"]["name"])
        found = await self._found(name)
        owner = owner_of(found, me, known=False) if found is not None else None
        if owner == NOBODY and name in {one.name for one in await made()}:
            owner = None
        marked = _marked(content, me.extension)
        match ruling(found, content, policy, owner=owner):
            case Ruling.MAKE:
                return Deed(CRDS, marked, replace=False), ""
            case Ruling.REPLACE if found is not None:
                return await self._replacement(found, marked, allow_unsafe=allow_unsafe), ""
            case Ruling.USE:
                whose = f"belongs to {owner}" if owner else "was not made by this extension"
                return None, f"{KIND} {name} {whose} and is used as it is"
            case Ruling.FOREIGN:
                missing = sorted(_served(content) - _served(found or {}))
                raise ForeignDefinition(name, owner or NOBODY, missing, me.extension, OWNER)
            case _:
                return None, ""

    async def _replacement(self, found: Object, content: Object, *, allow_unsafe: bool) -> Deed | None:
        # Only upgrades of definitions need the comparison.
        from dovetail.lifecycle.preview.crd_safety import is_unsafe, verdict

        if not await self._differs(found, content):
            return None
        stored = cast("list[str]", status_of(found).get("storedVersions") or [])
        findings = verdict(found, content, stored, None)
        if is_unsafe(findings) and not allow_unsafe:
            findings = verdict(found, content, stored, await self._count(found))
            if is_unsafe(findings):
                why = [
                    " ".join(filter(None, (one.version, one.path, f"({one.message})")))
                    for one in findings
                    if one.unsafe
                ]
                raise UnsafeDefinition(str(content["metadata"]["name"]), why)
        return Deed(CRDS, _in_place_of(found, content), replace=True)

    async def _differs(self, found: Object, content: Object) -> bool:
        try:
            pretended = await self._client.update(CRDS, _in_place_of(found, content), dry_run=True)
        except ApiError:
            return True  # it is refused: the verdict, or the real attempt, says why
        return spec_of(pretended) != spec_of(found)

    async def _count(self, found: Object) -> int | None:
        """How many objects there are of a definition, None when the API does not say."""
        spec = spec_of(found)
        versions = cast("list[Mapping[str, Any]]", spec.get("versions") or [])
        served = next((str(one["name"]) for one in versions if one.get("served")), "")
        names = mapping(spec.get("names"))
        resource = Resource(
            str(spec.get("group")), served, str(names.get("plural")), str(names.get("kind")),
            spec.get("scope") == "Namespaced",
        )  # fmt: skip
        try:
            return len((await self._client.list(resource, metadata_only=True)).items) if served else None
        except ApiError:
            return None

    async def _beside(self, content: Object) -> list[Deed]:
        """Something in `crds/` that is no definition: made if it is not there, as Helm does it."""
        try:
            resource = await self._client.discover(str(content.get("apiVersion")), str(content["kind"]))
        except UnknownKind:
            return []
        metadata = mapping(content.get("metadata"))
        try:
            await self._client.get(resource, str(metadata.get("name")), str(metadata.get("namespace") or "") or None)
        except NotFound:
            return [Deed(resource, content, replace=False)]
        return []

    async def _found(self, name: str) -> Object | None:
        try:
            return await self._client.get(CRDS, name)
        except NotFound:
            return None

    async def _established(self, name: str) -> None:
        """Wait until its objects are served, for a while: what then fails says more than we could."""
        try:
            async with asyncio.timeout(ESTABLISHED):
                while True:
                    if is_true(conditions_of(await self._client.get(CRDS, name)), "Established"):
                        return
                    await asyncio.sleep(_LOOK)
        except (TimeoutError, NotFound):
            return


async def _write(account: Client, deed: Deed, me: Owner) -> None:
    try:
        if deed.replace:
            await account.update(deed.resource, deed.content)
        else:
            await account.create(deed.resource, deed.content)
    except AlreadyExists:
        return  # somebody was faster; the next look takes it from there
    except Forbidden as error:
        verb = "update" if deed.replace else "create"
        name = str(deed.content["metadata"]["name"])
        raise MissingPermission(
            account_user(me.extension, me.namespace), verb, f"{deed.resource.plural}.{deed.resource.group}", name
        ) from error


def _read(crds: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Object]:
    """The package's definitions, the first of a name as in Helm."""
    wanted: dict[tuple[str, str], Object] = {}
    for _, text in crds:
        for obj in objects_of(text):
            wanted.setdefault((str(obj["kind"]), str(obj["metadata"].get("name"))), obj)
    return wanted


def _marked(content: Object, extension: str) -> Object:
    annotations = {**annotations_of(content), OWNER: extension}
    return {**content, "metadata": {**content["metadata"], "annotations": annotations}}


def _in_place_of(found: Object, content: Object) -> Object:
    """The definition with everything of the other's that is not its own business: status, others' marks."""
    metadata = found["metadata"]
    merged = {
        **metadata,
        "annotations": {**annotations_of(found), **annotations_of(content)},
        "labels": {**labels_of(found), **labels_of(content)},
    }
    merged.pop("managedFields", None)
    spec = dict(spec_of(content))
    conversion = spec_of(found).get("conversion")
    if conversion and "conversion" not in spec:  # a CA that was injected, a webhook that somebody set up
        spec["conversion"] = conversion
    return {"apiVersion": content["apiVersion"], "kind": KIND, "metadata": merged, "spec": spec}


def _served(definition: Mapping[str, Any]) -> set[str]:
    versions = cast("list[Mapping[str, Any]]", spec_of(definition).get("versions") or [])
    return {str(one.get("name")) for one in versions if one.get("served")}
