"""Writing any served kind. The platform writes as itself, so everything is checked here before it is written.

Three questions, in this order: is the body the object of the URL (`bound_bodies`), does the object stay in its
workspace, does the caller hold what it gives (`grants`). They are asked about the object as it *will be*: a patch is
tried as a dry run first, and what is then written is bound to the version that was looked at, so that nothing can slip
in between. A version that has moved on is looked at again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal

from dovetail.apis.iam_v1beta1 import BUILTINROLES, GROUP
from dovetail.apis.labels import CREATOR, WORKSPACE
from dovetail.apis.tenant_v1beta1 import WORKSPACES, WORKSPACETEMPLATES
from dovetail.iam.policy import Identity
from dovetail.kube.client import Patch
from dovetail.kube.errors import AlreadyExists, Conflict
from dovetail.kube.objects import annotations_of, finalizers_of, key_of, labels_of, resource_version_of, uid_of
from dovetail.kube.options import Propagation
from dovetail.platform.bound_bodies import Target, bound, demand_same_place
from dovetail.platform.catching_up import caught_up
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import BadRequest, Clash, Missing, Unacceptable
from dovetail.platform.generic_reads import ObjectReads
from dovetail.platform.grants import demand_no_gain, with_true_marks
from dovetail.platform.kept_names import demand_free_name
from dovetail.platform.shown_objects import with_kept_secrets

Object = dict[str, Any]
PatchKind = Literal["merge", "json", "apply"]

_TRIES: Final = 5
_VERSION: Final = "/metadata/resourceVersion"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What the query says about a write."""

    dry_run: bool = False
    field_manager: str = "dovetail-platform"
    force: bool = False
    propagation: Propagation | None = None


@dataclass(frozen=True, slots=True)
class ObjectPatch:
    """A patch as the client sent it: an object for merge and apply, a list of operations for json."""

    kind: PatchKind
    content: Any = field(repr=False)


class ObjectWrites:
    """Objects as the platform's API changes them, for one caller at a time."""

    def __init__(self, deps: PlatformDeps, reads: ObjectReads) -> None:
        self._deps = deps
        self._reads = reads

    async def create(self, target: Target, body: Mapping[str, Any], caller: Identity, options: WriteOptions) -> Object:
        """Store a new object. Raises AccessDenied, BadRequest, Clash, Unacceptable."""
        resource = target.kind.resource
        made = _created(bound(body, target), caller)
        self._demand_workspace(target, made)
        if target.kind.home == "workspace":
            demand_free_name(resource.plural, made, self._deps.directory(BUILTINROLES).list())
        made = self._checked(target, None, made, caller)
        try:
            stored = await self._deps.client.create(
                resource, made, dry_run=options.dry_run, field_manager=options.field_manager
            )
        except AlreadyExists as error:
            raise Clash(
                f'{resource.plural}.{resource.group} "{key_of(made).name}" already exists', exists=True
            ) from error
        await self._seen(target, key_of(stored).name, lambda cached: cached is not None, options)
        return stored

    async def update(self, target: Target, body: Mapping[str, Any], caller: Identity, options: WriteOptions) -> Object:
        """Replace an object. Raises AccessDenied, BadRequest, Clash, Missing, Unacceptable."""
        wanted = bound(body, target)

        async def once(before: Object) -> Object:
            resource = target.kind.resource
            after = with_kept_secrets(wanted, before, resource.group, resource.plural)
            after = self._checked(target, before, _at_version(_without_status(after), before), caller)
            return await self._put(target, after, options)

        return await self._again(target, once, said=resource_version_of(wanted), options=options)

    async def patch(self, target: Target, patch: ObjectPatch, caller: Identity, options: WriteOptions) -> Object:
        """Change a part of an object. Raises AccessDenied, BadRequest, Clash, Missing, Unacceptable."""
        if patch.kind == "apply":
            patch = ObjectPatch("apply", bound(patch.content, target))

        async def once(before: Object) -> Object:
            bound_patch = _bound_to(patch, before)
            tried = await self._send(target, bound_patch, options, dry_run=True)
            bound(tried, target)
            after = self._checked(target, before, tried, caller)
            if labels_of(after) != labels_of(tried):
                return await self._put(target, _at_version(after, before), options)
            return await self._send(target, bound_patch, options, dry_run=options.dry_run)

        return await self._again(target, once, said="", options=options)

    async def delete(self, target: Target, options: WriteOptions) -> Object:
        """Delete an object; the API's own answer. Raises Missing."""
        before = await self._reads.get(target)
        answer = await self._deps.client.delete(
            target.kind.resource, target.name, target.namespace or None, uid=uid_of(before),
            propagation=options.propagation,
        )  # fmt: skip
        await self._seen(target, target.name, _gone, options)
        return answer

    def _checked(self, target: Target, before: Object | None, after: Object, caller: Identity) -> Object:
        resource = target.kind.resource
        if before is not None:
            demand_same_place(before, after, target.kind)
        if resource.group == GROUP:
            _demand_no_finalizers(before, after)
            after = with_true_marks(resource.plural, after)
            demand_no_gain(self._deps, caller, resource.plural, before, after)
        return after

    def _demand_workspace(self, target: Target, made: Object) -> None:
        """What lies in a workspace names one that exists: nothing waits for a workspace that is yet to come."""
        workspace = labels_of(made).get(WORKSPACE, "")
        if target.kind.home == "workspace" and not workspace:
            raise Unacceptable(target.kind.resource.kind, [(f"metadata.labels[{WORKSPACE}]", "is needed")])
        if workspace and target.kind.home != "namespace":
            kinds = (WORKSPACES, WORKSPACETEMPLATES)
            if not any(self._deps.directory(kind).get(workspace) for kind in kinds):
                raise Missing(f'workspaces.tenant.kubesphere.io "{workspace}" not found')

    async def _put(self, target: Target, after: Object, options: WriteOptions) -> Object:
        return await self._deps.client.update(
            target.kind.resource, after, dry_run=options.dry_run, field_manager=options.field_manager
        )

    async def _send(self, target: Target, patch: ObjectPatch, options: WriteOptions, *, dry_run: bool) -> Object:
        client, resource = self._deps.client, target.kind.resource
        if patch.kind == "apply":
            return await client.apply(
                resource, patch.content, field_manager=options.field_manager, force=options.force, dry_run=dry_run
            )
        return await client.patch(
            resource, target.name, patch.content, target.namespace or None, content=patch.kind, dry_run=dry_run,
            field_manager=options.field_manager,
        )  # fmt: skip

    async def _again(
        self, target: Target, once: Callable[[Object], Awaitable[Object]], *, said: str, options: WriteOptions
    ) -> Object:
        """Try on the latest version until it stays the latest; a version that the client named is tried once."""
        tries = 0
        while True:
            before = await self._reads.get(target)
            if said and said != resource_version_of(before):
                raise Clash(f"{target.described} has changed: look at its latest version and try again")
            tries += 1
            try:
                stored = await once(before)
            except Conflict:
                if tries >= _TRIES or await self._unchanged(target, before):
                    raise
                continue
            old = resource_version_of(before)
            if old != resource_version_of(stored):
                await self._seen(target, target.name, partial(_newer_than, old), options)
            return stored

    async def _unchanged(self, target: Target, before: Object) -> bool:
        """Whether a conflict is about something else than the version: field managers, an immutable field."""
        return resource_version_of(await self._reads.get(target)) == resource_version_of(before)

    async def _seen(
        self, target: Target, name: str, done: Callable[[Object | None], bool], options: WriteOptions
    ) -> None:  # fmt: skip
        """Wait until the cache shows what was written; not longer than a second, since nothing depends on it."""
        try:
            directory = self._deps.directory(target.kind.resource)
        except LookupError:
            return
        if not options.dry_run:
            await caught_up(lambda: done(directory.get(name, target.namespace or None)))


def _created(body: Object, caller: Identity) -> Object:
    """The object to store: who made it stands in it, and what only the platform says does not come in."""
    metadata = {**body["metadata"], "annotations": {**annotations_of(body), CREATOR: caller.name}}
    for field_name in ("uid", "resourceVersion", "managedFields", "creationTimestamp"):
        metadata.pop(field_name, None)
    return {**_without_status(body), "metadata": metadata}


def _demand_no_finalizers(before: Object | None, after: Object) -> None:
    """Nobody can make a role or a binding stay for ever: it would block its name, and a workspace of that name."""
    if set(finalizers_of(after)) - set(finalizers_of(before or {"metadata": {}})):
        raise BadRequest("metadata.finalizers are for the controllers that end what they name")


def _without_status(obj: Object) -> Object:
    """What controllers find out is not for clients to say; in a role it even counts as rules."""
    return {key: value for key, value in obj.items() if key != "status"}


def _at_version(obj: Object, before: Mapping[str, Any]) -> Object:
    metadata = {**obj["metadata"], "resourceVersion": resource_version_of(before)}
    metadata.setdefault("uid", uid_of(before))
    return {**obj, "metadata": metadata}


def _bound_to(patch: ObjectPatch, before: Mapping[str, Any]) -> ObjectPatch:
    """The patch, good for one version only. Raises BadRequest, Clash."""
    version = resource_version_of(before)
    if patch.kind == "json":
        operations: list[Any] = patch.content
        return ObjectPatch("json", [*operations, {"op": "add", "path": _VERSION, "value": version}])
    metadata: object = patch.content.get("metadata", {})
    if not isinstance(metadata, dict):
        raise BadRequest("metadata is not an object")
    said: object = metadata.get("resourceVersion")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if said and said != version:
        raise Clash(f"the object has changed: it is at version {version} now")
    content: Patch = {**patch.content, "metadata": {**metadata, "resourceVersion": version}}
    return ObjectPatch(patch.kind, content)


def _newer_than(version: str, cached: Mapping[str, Any] | None) -> bool:
    return resource_version_of(cached or {}) != version


def _gone(cached: Mapping[str, Any] | None) -> bool:
    return cached is None or "deletionTimestamp" in cached["metadata"]
