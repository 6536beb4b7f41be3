"""A Kubernetes API in memory: objects, versions, watches' history, finalizers; requests in, answers out, at once.

It is a model, not ours and not Kubernetes': it shares no code with the platform, and `test_api_model` holds it against
the embedded API server, request by request. Modelled are the verbs the platform uses: get, list, create, replace, merge
and JSON patch, server-side apply, delete, the status subresource, generations, optimistic locking, preconditions,
finalizers, namespaces that end, ownership, dry runs. Left out: schemas, defaults, admission, pages of a list, strategic
patches.

Objects are kept as bytes next to their values, so nobody can change what another one reads.
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import orjson

from tests.simulation.kinds import DOCUMENTS, KINDS, NAMESPACE, Kind, Place, place_of
from tests.simulation.merging import applied, changed, disowned, json_patch, merge_patch, taken
from tests.simulation.selecting import fields_match, labels_match

Object = dict[str, Any]
Key = tuple[str, str]
_SERVER_SET = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace")
_WRITER = ""
"""Whoever creates, replaces and patches, as one manager of fields."""
HISTORY = 400
"""Changes of one kind that a watch may go back."""


class Stored:
    """One version of an object. Never changed once it is stored."""

    __slots__ = ("_meta", "intents", "obj", "raw", "version")

    def __init__(self, obj: Object, version: int, intents: Mapping[str, Object]) -> None:
        self.obj, self.version, self.intents = obj, version, intents
        self.raw = orjson.dumps(obj)
        self._meta: bytes | None = None

    @property
    def meta(self) -> Object:
        return self.obj["metadata"]

    @property
    def meta_raw(self) -> bytes:
        if self._meta is None:
            partial = {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": self.meta}
            self._meta = orjson.dumps(partial)
        return self._meta


class Change(NamedTuple):
    """What happened: ADDED (old None), MODIFIED, DELETED (new is the last state, with a version of its own)."""

    version: int
    kind: Kind
    type: str
    old: Stored | None
    new: Stored
    actor: str


class Listener(Protocol):
    def __call__(self, change: Change, /) -> None: ...


class Refusal(Exception):
    """An answer of 4xx."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        self.code = code
        self.body = orjson.dumps(
            {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                "reason": reason, "code": code, **({"details": details} if details else {}),
            }
        )  # fmt: skip
        super().__init__(message)


class Answer(NamedTuple):
    status: int
    body: bytes


class MemoryApi:
    """All objects of one cluster. `clock` is the API server's."""

    def __init__(self, clock: Callable[[], datetime], uids: str = "uid") -> None:
        self._clock, self._uid = clock, uids
        self.version = 1000
        self._uids = 0
        self._dry = False
        self.objects: dict[Kind, dict[Key, Stored]] = {kind: {} for kind in KINDS}
        self.history: dict[Kind, deque[Change]] = {kind: deque(maxlen=HISTORY) for kind in KINDS}
        self.compacted: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        """A watch cannot go back to a version before this one."""
        self.listeners: list[Listener] = []

    # What the model's other parts use: they are on the server's side.

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        stored = self.objects[kind].get((namespace, name))
        return stored.obj if stored else None

    def all(self, kind: Kind, namespace: str | None = None, selector: str = "") -> list[Object]:
        match = labels_match(selector)
        return [
            stored.obj
            for (where, _), stored in self.objects[kind].items()
            if namespace in (None, where) and (match is None or match(stored.meta.get("labels") or {}))
        ]

    def call(
        self, actor: str, method: str, kind: Kind, namespace: str, name: str = "", body: Any = None, **more: str
    ) -> Object:
        """A request of somebody inside the model. Raises Refusal."""
        place = Place(kind, namespace, name, more.pop("subresource", ""))
        query = {key: value for key, value in more.items() if key != "content"}
        return orjson.loads(self._act(actor, method, place, query, more.get("content", ""), body).body)

    def handle(self, actor: str, method: str, path: str, query: Mapping[str, str], content: str, accept: str,
               body: bytes | None) -> Answer:  # fmt: skip
        """One request. `content` is the body's media type."""
        if path in DOCUMENTS:
            return Answer(200, DOCUMENTS[path])
        place = place_of(path)
        if place is None:
            return Answer(404, Refusal(404, "NotFound", "the server could not find the requested resource").body)
        try:
            if method == "GET":
                return self._read(place, query, "PartialObjectMetadata" in accept)
            self._dry = "dryRun" in query
            return self._act(actor, method, place, query, content, orjson.loads(body) if body else None)
        except Refusal as refusal:
            return Answer(refusal.code, refusal.body)
        finally:
            self._dry = False

    def _read(self, place: Place, query: Mapping[str, str], partial: bool) -> Answer:
        if place.name:
            stored = self._existing(place)
            return Answer(200, stored.meta_raw if partial else stored.raw)
        labels, fields = labels_match(query.get("labelSelector", "")), fields_match(query.get("fieldSelector", ""))
        found = [
            stored.meta_raw if partial else stored.raw
            for (namespace, _), stored in sorted(self.objects[place.kind].items())
            if (not place.namespace or namespace == place.namespace)
            and (labels is None or labels(stored.meta.get("labels") or {}))
            and (fields is None or fields(stored.meta))
        ]
        head = b'{"kind":"%sList","apiVersion":"%s","metadata":{"resourceVersion":"%d"},"items":[' % (
            b"PartialObjectMetadata" if partial else place.kind.kind.encode(),
            b"meta.k8s.io/v1" if partial else place.kind.api_version.encode(),
            self.version,
        )
        return Answer(200, b"".join((head, b",".join(found), b"]}")))

    def _act(self, actor: str, method: str, place: Place, query: Mapping[str, str], content: str, body: Any) -> Answer:
        match method:
            case "POST":
                return self._create(actor, place, body, {_WRITER: _content(body)})
            case "PUT":
                return self._replace(actor, place, body)
            case "PATCH" if "apply" in content:
                return self._apply(actor, place, query, body)
            case "PATCH" if "json-patch" in content:
                return self._operate(actor, place, body)
            case "PATCH":
                assert "merge-patch" in content or not content, f"the model has no {content}"
                return self._patch(actor, place, body)
            case "DELETE" if place.name:
                return self._delete(actor, place, body or {})
            case _:
                raise Refusal(405, "MethodNotAllowed", "the server does not allow this method on the resource")

    def _existing(self, place: Place) -> Stored:
        stored = self.objects[place.kind].get((place.namespace, place.name))
        if stored is None:
            message = f'{_full(place.kind)} "{place.name}" not found'
            raise Refusal(404, "NotFound", message, name=place.name, group=place.kind.group, kind=place.kind.plural)
        return stored

    def _create(self, actor: str, place: Place, body: Object, intents: Mapping[str, Object]) -> Answer:
        kind = place.kind
        sent = body.get("metadata") or {}
        name = sent.get("name") or place.name
        if not name:
            raise Refusal(422, "Invalid", f'{kind.kind} "" is invalid: metadata.name: Required value')
        if sent.get("resourceVersion"):
            raise Refusal(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        if kind.namespaced:
            self._check_namespace(place.namespace, kind, name)
        if (place.namespace, name) in self.objects[kind]:
            raise Refusal(409, "AlreadyExists", f'{_full(kind)} "{name}" already exists', name=name)
        self._uids += 1
        meta = {key: value for key, value in sent.items() if key not in ("selfLink", "managedFields")}
        meta |= {"name": name, "uid": f"{self._uid}-{self._uids}", "creationTimestamp": self._time()}
        meta = _without(meta, "deletionTimestamp", "generation")
        if kind.namespaced:
            meta["namespace"] = place.namespace
        if kind.custom:
            meta["generation"] = 1
        obj = {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
        if kind.status:
            obj.pop("status", None)
        if kind is NAMESPACE:
            meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": name}
            obj |= {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
        stored = self._store(actor, kind, (place.namespace, name), obj, None, intents)
        return Answer(201, stored.raw)

    def _check_namespace(self, namespace: str, kind: Kind, name: str) -> None:
        found = self.objects[NAMESPACE].get(("", namespace))
        if found is None:
            raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found', name=namespace, kind="namespaces")
        if found.meta.get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            causes = [{"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"}]
            message = f'{_full(kind)} "{name}" is forbidden: {why}'
            raise Refusal(403, "Forbidden", message, name=name, causes=causes)

    def _replace(self, actor: str, place: Place, body: Object) -> Answer:
        stored = self._existing(place)
        sent = body.get("metadata") or {}
        if place.kind.custom and not sent.get("resourceVersion"):
            why = "metadata.resourceVersion: Invalid value: 0x0: must be specified for an update"
            raise Refusal(422, "Invalid", f'{_full(place.kind)} "{place.name}" is invalid: {why}')
        return self._update(actor, place, stored, body, None)

    def _patch(self, actor: str, place: Place, patch: Object) -> Answer:
        stored = self._existing(place)
        return self._update(actor, place, stored, merge_patch(stored.obj, patch), None)

    def _operate(self, actor: str, place: Place, operations: list[Object]) -> Answer:
        stored = self._existing(place)
        try:
            wanted = json_patch(stored.obj, operations)
        except (ValueError, LookupError, TypeError) as error:
            raise Refusal(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from error
        return self._update(actor, place, stored, wanted, None)

    def _apply(self, actor: str, place: Place, query: Mapping[str, str], intent: Object) -> Answer:
        manager = query["fieldManager"]
        assert query.get("force") == "true", "the model only has forced apply"
        intents = {manager: _content(intent)}
        stored = self.objects[place.kind].get((place.namespace, place.name))
        if stored is None:
            return self._create(actor, place, intent, intents)
        before = stored.intents if set(stored.intents) != {_WRITER} else {_WRITER: _content(stored.obj)}
        others = [other for name, other in before.items() if name != manager]
        wanted = applied(stored.obj, intents[manager], before.get(manager, {}), others)
        seized = changed(stored.obj, intents[manager])
        kept = {name: disowned(other, seized) for name, other in before.items() if name != manager}
        preconditions = {k: v for k, v in intent["metadata"].items() if k in ("uid", "resourceVersion")}
        wanted["metadata"] = {**wanted["metadata"], **preconditions}
        return self._update(actor, place, stored, wanted, {**kept, **intents})

    def _update(
        self, actor: str, place: Place, stored: Stored, wanted: Object, intents: Mapping[str, Object] | None
    ) -> Answer:
        """`intents` None: an ordinary write, whose changes become its own."""
        kind, old, sent = place.kind, stored.obj, wanted.get("metadata") or {}
        what = f'{_full(kind)} "{place.name}"'
        if sent.get("uid", stored.meta["uid"]) != stored.meta["uid"]:
            why = f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {stored.meta['uid']}"
            raise Refusal(409, "Conflict", f"Operation cannot be fulfilled on {what}: {why}", name=place.name)
        version = sent.get("resourceVersion")
        if version and version != stored.meta["resourceVersion"]:
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise Refusal(409, "Conflict", f"Operation cannot be fulfilled on {what}: {why}", name=place.name)
        if place.subresource == "status":
            obj = {**old, "status": wanted["status"]} if "status" in wanted else _without(old, "status")
        else:
            obj = self._whole(kind, stored, wanted)
        if intents is None:
            intents = stored.intents
            if len(intents) > 1 or _WRITER not in intents:  # else nobody asks whose a field is
                intents = taken(intents, _content(old), _content(obj), _WRITER)
        if obj == old and intents == stored.intents:  # who wants what is part of the object, too: managedFields
            return Answer(200, stored.raw)
        if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers") and kind is not NAMESPACE:
            return Answer(200, self._drop(actor, kind, (place.namespace, place.name), obj).raw)
        return Answer(200, self._store(actor, kind, (place.namespace, place.name), obj, stored, intents).raw)

    def _whole(self, kind: Kind, stored: Stored, wanted: Object) -> Object:
        """A replaced object, with what only the server says."""
        old = stored.meta
        meta = {key: value for key, value in (wanted.get("metadata") or {}).items() if key != "managedFields"}
        for field in (*_SERVER_SET, "name", "resourceVersion"):
            if field in old:
                meta[field] = old[field]
            else:
                meta.pop(field, None)
        meta = {key: value for key, value in meta.items() if value not in (None, {}, [])}
        if old.get("deletionTimestamp") and set(meta.get("finalizers") or ()) - set(old.get("finalizers") or ()):
            raise Refusal(
                422, "Invalid", "metadata.finalizers: no new finalizers can be added if the object is being deleted"
            )
        obj = {**wanted, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
        if kind.status:
            obj = {**obj, "status": stored.obj["status"]} if "status" in stored.obj else _without(obj, "status")
        if kind is NAMESPACE:
            obj["spec"] = stored.obj["spec"]
        apart = ("metadata", "status")
        if kind.custom and _without(obj, *apart) != _without(stored.obj, *apart):
            meta["generation"] = old["generation"] + 1
        return obj

    def _delete(self, actor: str, place: Place, options: Object) -> Answer:
        stored, kind = self._existing(place), place.kind
        wanted = options.get("preconditions") or {}
        for field, word in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
            if wanted.get(field) and wanted[field] != stored.meta[field]:
                why = f"the {word} in the precondition ({wanted[field]}) does not match the {word} in record"
                message = f'Operation cannot be fulfilled on {_full(kind)} "{place.name}": Precondition failed: {why}'
                raise Refusal(409, "Conflict", message, name=place.name)
        held = bool(stored.meta.get("finalizers")) or kind is NAMESPACE
        if not held:
            last = {**stored.meta, "deletionTimestamp": self._time(), "deletionGracePeriodSeconds": 0}
            if "generation" in last:
                last["generation"] += 1
            self._drop(actor, kind, (place.namespace, place.name), {**stored.obj, "metadata": last})
            return Answer(200, _success(kind, place.name, stored.meta["uid"]))
        if stored.meta.get("deletionTimestamp"):
            return Answer(200, stored.raw)
        meta = {**stored.meta, "deletionTimestamp": self._time(), "deletionGracePeriodSeconds": 0}
        if "generation" in meta:
            meta["generation"] += 1
        obj = {**stored.obj, "metadata": meta}
        if kind is NAMESPACE:
            meta.pop("deletionGracePeriodSeconds")
            obj["status"] = {"phase": "Terminating"}
        kept = self._store(actor, kind, (place.namespace, place.name), obj, stored, stored.intents)
        return Answer(200, kept.raw)

    def finalize_namespace(self, actor: str, name: str) -> None:
        """What the namespace controller does last."""
        self._drop(actor, NAMESPACE, ("", name), self.objects[NAMESPACE]["", name].obj)

    def _store(
        self, actor: str, kind: Kind, key: Key, obj: Object, old: Stored | None, intents: Mapping[str, Object]
    ) -> Stored:
        if self._dry:
            return Stored(obj, self.version, intents)
        self.version += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        stored = self.objects[kind][key] = Stored(obj, self.version, intents)
        self._tell(Change(self.version, kind, "MODIFIED" if old else "ADDED", old, stored, actor))
        return stored

    def _drop(self, actor: str, kind: Kind, key: Key, last: Object) -> Stored:
        if self._dry:
            return Stored(last, self.version, {})
        self.version += 1
        old = self.objects[kind].pop(key)
        stored = Stored(
            {**last, "metadata": {**last["metadata"], "resourceVersion": str(self.version)}}, self.version, {}
        )
        self._tell(Change(self.version, kind, "DELETED", old, stored, actor))
        return stored

    def _tell(self, change: Change) -> None:
        history = self.history[change.kind]
        if len(history) == HISTORY:
            self.compacted[change.kind] = history[0].version
        history.append(change)
        for listener in self.listeners:
            listener(change)

    def _time(self) -> str:
        return self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def _full(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def _without(obj: Mapping[str, Any], *names: str) -> Object:
    return {key: value for key, value in obj.items() if key not in names}


def _content(obj: Object) -> Object:
    """What somebody can own of an object."""
    named = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
    meta = _without(obj.get("metadata") or {}, *named)
    return {**_without(obj, "apiVersion", "kind", "status", "metadata"), **({"metadata": meta} if meta else {})}


def _success(kind: Kind, name: str, uid: str) -> bytes:
    details = {"name": name, "group": kind.group, "kind": kind.plural, "uid": uid}
    return orjson.dumps({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
