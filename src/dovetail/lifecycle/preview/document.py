"""The plan as people and programs get it: what would change, and whether anything stands in its way.

A value that can be written as JSON; no secret is in it. `hash` names exactly this plan: an approval carries it.
"""

from typing import Any, Literal

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of the document; fields are in camelCase on the wire."""


class Block(Part, frozen=True):
    """Why the plan would be refused, by one word and in a sentence with the way out."""

    reason: str
    message: str


class ShownField(Part, frozen=True):
    """A field that changes. Values of Secrets, and of fields called like one, are `(hidden)`."""

    path: str
    change: Literal["added", "changed", "removed"]
    before: str = ""
    after: str = ""


class ShownObject(Part, frozen=True):
    """An object. `place` is where in the package it is from; `owner` whose it is if it is not the extension's."""

    kind: str
    name: str
    group: str = ""
    namespace: str = ""
    fields: list[ShownField] = []
    place: str = ""
    owner: str = ""


class Objects(Part, frozen=True):
    """`kept` are objects that the new version drops and that stay because they say so. `unknown` could not be read."""

    added: list[ShownObject] = []
    changed: list[ShownObject] = []
    removed: list[ShownObject] = []
    kept: list[ShownObject] = []
    foreign: list[ShownObject] = []
    unknown: list[ShownObject] = []
    unchanged: int = 0


class Hook(Part, frozen=True):
    """An object that Helm makes for a moment."""

    object: str
    events: str
    place: str = ""


class Right(Part, frozen=True):
    """`holder` may `words` `where`. `risks`: what makes this more than it looks."""

    holder: str
    where: str
    words: str
    risks: list[str] = []


class Rights(Part, frozen=True):
    gained: list[Right] = []
    lost: list[Right] = []


class Safety(Part, frozen=True):
    """A change of a definition that matters; `unsafe` ones are refused."""

    change: str
    message: str
    version: str = ""
    path: str = ""
    unsafe: bool = True


class Definition(Part, frozen=True):
    """A CustomResourceDefinition; `objects` None: nobody knows how many there are."""

    name: str
    action: str
    stored_versions: list[str] = []
    objects: int | None = 0
    findings: list[Safety] = []
    in_template: bool = False
    owner: str = ""


class LostData(Part, frozen=True):
    """What people stored that goes."""

    what: str
    count: int | None
    why: str
    names: list[str] = []


class Delta(Part, frozen=True):
    added: list[str] = []
    lost: list[str] = []


class Shared(Part, frozen=True):
    """What two extensions want; `witness` is a request that both would take."""

    what: str
    message: str
    witness: str = ""


class Plugged(Part, frozen=True):
    """What the gateway and the console get."""

    routes: Delta = Delta()
    bundles: Delta = Delta()
    menus: Delta = Delta()
    overlaps: list[Shared] = []
    unusable: list[str] = []


class Images(Part, frozen=True):
    added: list[str] = []
    removed: list[str] = []
    kept: list[str] = []


class Values(Part, frozen=True):
    """`schema`: the package has one. `errors`: what the configuration does against it."""

    schema: bool = False
    errors: list[str] = []


class Needed(Part, frozen=True):
    """Another extension that this one needs or can use; `installed` is its version in force."""

    name: str
    range: str = ""
    required: bool = True
    installed: str = ""
    satisfied: bool = True


class Told(Part, frozen=True):
    """A sentence, in both languages."""

    en: str
    zh: str


class Resolution(Part, frozen=True):
    """What would bring the dependencies in order: steps in their order, or why nothing does, with repairs."""

    steps: list[Told] = []
    conflict: Told | None = None


class Lookup(Part, frozen=True):
    """Who answered the templates' `lookup`. `as_account` False: it may see more, or less, than the install will."""

    used: bool = False
    by: str = ""
    as_account: bool = True


class Plan(Part, frozen=True):
    """All of it. `operation`: install, upgrade, downgrade or change; `from_version` is what is in force."""

    extension: str
    version: str
    namespace: str
    operation: Literal["install", "upgrade", "downgrade", "change"]
    hash: str = ""
    from_version: str = ""
    revision: int = 0
    blocked: list[Block] = []
    warnings: list[str] = []
    objects: Objects = Objects()
    hooks: list[Hook] = []
    rights: Rights = Rights()
    definitions: list[Definition] = []
    data_loss: list[LostData] = []
    plugged: Plugged = Plugged()
    images: Images = Images()
    values: Values = Values()
    dependencies: list[Needed] = []
    resolution: Resolution | None = None
    """Only where dependencies stand in the way."""
    lookup: Lookup = Lookup()
    varying: list[str] = []
    """Places of the rendering that differ every time, such as random passwords: no part of the hash."""
    unreadable: list[str] = []

    def as_json(self) -> dict[str, Any]:
        """The document as plain values."""
        return {"apiVersion": "kubesphere.io/v1alpha1", "kind": "ExtensionPlan", **msgspec.to_builtins(self)}
