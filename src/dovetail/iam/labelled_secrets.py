"""What administrators set up in labelled Secrets of `kubesphere-system`: OAuth clients, identity providers.

Each holds one YAML map under the key `configuration.yaml`, with a `name` of its own. A Secret that breaks a rule is
left out, is told of (`left_out`), and harms no other. Where two have one name, the older one counts. Each version of a
Secret is read once.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar, cast

DATA_KEY: Final = "configuration.yaml"

Object = Mapping[str, Any]


class UnusableConfiguration(Exception):
    """A Secret describes nothing that could be used. The sentence holds no value of the Secret that may be secret."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=_Named)


class LabelledSecrets(Generic[Named]):
    """`stored` gives the Secrets; `read` makes a value of one, or raises UnusableConfiguration."""

    def __init__(
        self, stored: Callable[[], Iterable[Object]], read: Callable[[Object], Named],
        left_out: Callable[[Object, str], None],
    ) -> None:  # fmt: skip
        self._stored, self._read, self._left_out = stored, read, left_out
        self._known: dict[str, tuple[str, Named | None]] = {}

    def all(self) -> dict[str, Named]:
        """The values of now by their own names."""
        found: dict[str, Named] = {}
        known: dict[str, tuple[str, Named | None]] = {}
        for obj in sorted(self._stored(), key=_age):
            metadata = obj["metadata"]
            made = known.setdefault(str(metadata["name"]), self._made(obj))[1]
            if made is not None and not metadata.get("deletionTimestamp"):
                found.setdefault(made.name, made)
        self._known = known
        return found

    def _made(self, obj: Object) -> tuple[str, Named | None]:
        name, version = str(obj["metadata"]["name"]), str(obj["metadata"].get("resourceVersion", ""))
        before = self._known.get(name)
        if before is not None and before[0] == version:
            return before
        try:
            return version, self._read(obj)
        except UnusableConfiguration as problem:
            self._left_out(obj, str(problem))
            return version, None


def _age(obj: Object) -> tuple[str, str]:
    return str(obj["metadata"].get("creationTimestamp", "")), str(obj["metadata"]["name"])


def configuration(obj: Object, secret_type: str) -> Object:
    """The map in a Secret of this type. Raises UnusableConfiguration."""
    import yaml

    if obj.get("type") != secret_type:
        raise UnusableConfiguration(f"its type is not {secret_type}")
    try:
        said = yaml.safe_load(b64decode(str(obj["data"][DATA_KEY])))
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise UnusableConfiguration(f"{DATA_KEY} is missing or is not YAML") from error
    return _mapping(said, DATA_KEY)


def section(said: Object, name: str) -> Object:
    """A map within the map; empty when there is none."""
    return _mapping(said.get(name) or {}, name)


def text(said: Object, name: str) -> str:
    """A text; empty when there is none."""
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnusableConfiguration(f"{name} is not text")
    return value


def texts(said: Object, name: str) -> tuple[str, ...]:
    """A list of texts; empty when there is none."""
    values: object = said.get(name) or []
    if not isinstance(values, list) or not all(isinstance(one, str) for one in cast("list[object]", values)):
        raise UnusableConfiguration(f"{name} is not a list of texts")
    return tuple(cast("list[str]", values))


def whole(said: Object, name: str, least: int, most: int) -> int:
    """A whole number between these; 0 when there is none."""
    value = said.get(name) or 0
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnusableConfiguration(f"{name} is not a whole number")
    if value and not least <= value <= most:
        raise UnusableConfiguration(f"{name} must be {least} to {most}")
    return value


def flag(said: Object, name: str) -> bool:
    """Whether it says true."""
    value = said.get(name) or False
    if not isinstance(value, bool):
        raise UnusableConfiguration(f"{name} is neither true nor false")
    return value


def _mapping(value: object, name: str) -> Object:
    if not isinstance(value, dict):
        raise UnusableConfiguration(f"{name} is not a map")
    return cast("Object", value)
