"""What one look at the cluster has shown, frozen: objects by kind, and what could not be read.

A picture is of one extension, or of the platform (then `extension` is empty). It answers the questions that the causes
ask; it never asks the cluster. Objects are plain mappings and must not be changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from dovetail.apis import labels
from dovetail.helm import storage
from dovetail.helm.storage import ReleaseRecord
from dovetail.kube import annotations_of, key_of, labels_of, metadata, owners_of, parse_rfc3339
from dovetail.lifecycle.doctor.findings import Ref
from dovetail.lifecycle.objects import conditions_of, mapping, spec_of, status_of

Object = Mapping[str, Any]
_NOTHING: Final[Object] = {}
_IN_TWO_GROUPS: Final = ("APIService", "ReverseProxy", "JSBundle")


@dataclass(frozen=True)
class Unread:
    """Something that could not be looked at (or only in part), and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Unmoved:
    """Something that has waited between two looks for somebody who should have worked on it."""

    of: Ref
    seconds: float


@dataclass(frozen=True)
class Picture:
    """See the module. `kinds` are objects by the plural's full name: `pods`, `jsbundles.extensions.kubesphere.io`."""

    extension: str
    namespace: str = ""
    kinds: Mapping[str, Sequence[Object]] = field(default_factory=dict[str, Sequence[Object]])
    release_text: str = ""
    """What Helm wrote about the newest revision, if that failed."""
    served: frozenset[tuple[str, str]] | None = None
    """(apiVersion, kind) of all that the cluster serves; None when it was not asked."""
    unread: tuple[Unread, ...] = ()
    unmoved: tuple[Unmoved, ...] = ()
    now: str = ""
    """The API server's clock, RFC 3339."""
    settle: float = 60.0
    """Seconds in which something new may come up before it counts as trouble."""

    def all(self, plural: str) -> Sequence[Object]:
        return self.kinds.get(plural, ())

    def has_read(self, plural: str) -> bool:
        """Whether the absence of an object of this kind means something."""
        return plural in self.kinds

    def one(self, plural: str, name: str, namespace: str = "") -> Object | None:
        for obj in self.all(plural):
            if key_of(obj).name == name and (not namespace or key_of(obj).namespace == namespace):
                return obj
        return None

    @property
    def plan(self) -> Object | None:
        return self.one("installplans.kubesphere.io", self.extension)

    @property
    def plan_ref(self) -> Ref:
        return Ref("InstallPlan", self.extension)

    @property
    def records(self) -> list[ReleaseRecord]:
        found = (storage.record_of(secret) for secret in self.all("secrets"))
        return [record for record in found if record is not None and record.name == release_of(self)]

    def events_about(self, ref: Ref) -> list[Object]:
        """The events about one object, the last first."""
        found = [event for event in self.all("events") if _is_about(event, ref)]
        return sorted(found, key=event_time, reverse=True)

    def owned_by(self, plural: str, owner: Object) -> list[Object]:
        uid = mapping(owner.get("metadata")).get("uid")
        return [obj for obj in self.all(plural) if any(one.get("uid") == uid for one in owners_of(obj))]

    def is_new(self, obj: Object, changed: object = None) -> bool:
        """Whether it was made, or `changed` (a time), too short ago to be judged."""
        return self.age(obj, changed) <= self.settle

    def age(self, obj: Object, changed: object = None) -> float:
        """Seconds on the server's clock since it was made or `changed`."""
        since = str(changed or metadata(obj).get("creationTimestamp") or "")
        try:
            return (parse_rfc3339(self.now) - parse_rfc3339(since)).total_seconds()
        except ValueError:
            return 0.0

    def with_unmoved(self, unmoved: Iterable[Unmoved]) -> "Picture":
        return replace(self, unmoved=tuple(unmoved))


def release_of(picture: Picture) -> str:
    plan = picture.plan
    return str(status_of(plan).get("releaseName") or picture.extension) if plan else picture.extension


def ref_of(obj: Object) -> Ref:
    """The object's own reference; kinds that two groups have carry the group that is not ours."""
    kind, group = str(obj.get("kind") or ""), str(obj.get("apiVersion") or "").rpartition("/")[0]
    if group == "apiregistration.k8s.io" or (group == "kubesphere.io" and kind in _IN_TWO_GROUPS):
        kind = f"{kind}.{group}"
    key = key_of(obj)
    return Ref(kind, key.name, key.namespace)


def condition_of(obj: Object, type: str) -> Object:
    """The condition, or an empty mapping."""
    return next((each for each in conditions_of(obj) if each.get("type") == type), _NOTHING)


def is_ours(obj: Object, extension: str) -> bool:
    return labels_of(obj).get(labels.EXTENSION_REF) == extension


def is_hook(obj: Object) -> bool:
    return "helm.sh/hook" in annotations_of(obj)


def nothing() -> Object:
    """An absent object; every question to it has the empty answer."""
    return _NOTHING


def containers_of(pod: Object) -> list[Object]:
    """The statuses of all containers, those that start first first."""
    status = status_of(pod)
    return [*items(status, "initContainerStatuses"), *items(status, "containerStatuses")]


def items(obj: Object, name: str) -> list[Object]:
    """A list of mappings in a mapping."""
    value: object = obj.get(name)
    return [mapping(each) for each in cast("list[object]", value)] if isinstance(value, list) else []


def matches(selector: Object, marks: Mapping[str, str]) -> bool:
    """A Service's selector; an empty one selects nothing."""
    return bool(selector) and all(marks.get(str(key)) == value for key, value in selector.items())


def template_labels(workload: Object) -> Mapping[str, str]:
    return labels_of(mapping(spec_of(workload).get("template")))


def event_time(event: Object) -> str:
    series = mapping(event.get("series"))
    for value in (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")):
        if value:
            return str(value)
    return str(mapping(event.get("metadata")).get("creationTimestamp") or "")


def event_text(event: Object) -> str:
    return str(event.get("message") or event.get("note") or "")


def last(events: Iterable[Object], *reasons: str, like: Callable[[str], bool] = lambda text: True) -> Object | None:
    """The last event with one of these reasons."""
    return next((each for each in events if each.get("reason") in reasons and like(event_text(each))), None)


def _is_about(event: Object, ref: Ref) -> bool:
    about = mapping(event.get("involvedObject") or event.get("regarding"))
    same_place = not ref.namespace or about.get("namespace") in (ref.namespace, None, "")
    return about.get("kind") == ref.kind and about.get("name") == ref.name and same_place
