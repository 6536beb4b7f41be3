"""iam.kubesphere.io/v1beta1: users, platform-wide roles and who holds them (reference/kubesphere-core.md 3.1, 3.5).

A password is only ever stored as a hash: the schema refuses anything else, so that no writer can leave a plain one in
the cluster. Roles narrower than the platform come later.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Final

import msgspec

from dovetail.apis.kind import AGE, Column, Kind
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import Conditions, Count, LabelSelector, ObjectMeta, Time, Wire, about

GROUP: Final = "iam.kubesphere.io"
VERSION: Final = "v1beta1"

USERS: Final = ResourceName(GROUP, VERSION, "users", "User")
GLOBALROLES: Final = ResourceName(GROUP, VERSION, "globalroles", "GlobalRole")
GLOBALROLEBINDINGS: Final = ResourceName(GROUP, VERSION, "globalrolebindings", "GlobalRoleBinding")

PASSWORD_HASH_PATTERN: Final = (
    r"^(\$argon2id\$v=19\$m=[0-9]{1,8},t=[0-9]{1,3},p=[0-9]{1,3}\$[A-Za-z0-9+/]{8,128}\$[A-Za-z0-9+/]{16,256}"
    r"|\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53})$"
)
"""argon2id in PHC form, or bcrypt (read only, for users brought along)."""


class UserSpec(Wire, frozen=True, kw_only=True):
    """An account."""

    email: Annotated[str, about("Unique; may be empty.", schema={"maxLength": 254})] = ""
    lang: str = ""
    display_name: str = ""
    description: str = ""
    groups: list[str] = []
    password: Annotated[
        str,
        about(
            "The hash of the password (argon2id or bcrypt), never the password. Set passwords through the API.",
            pattern=PASSWORD_HASH_PATTERN,
        ),
    ] = ""


class UserStatus(Wire, frozen=True, kw_only=True):
    """Whether the user may log in: Active, Disabled or AuthLimitExceeded."""

    state: str = ""
    reason: str = ""
    last_transition_time: Time | None = None
    last_login_time: Time | None = None
    tokens_not_before: Count | None = None
    observed_generation: Count | None = None
    conditions: Conditions = []


class User(Wire, frozen=True, kw_only=True):
    """User is somebody who can log in; its name is the login name."""

    metadata: ObjectMeta
    spec: UserSpec
    status: UserStatus | None = None


class PolicyRule(Wire, frozen=True, kw_only=True):
    """What may be done: verbs on resources, or on paths."""

    verbs: list[str]
    api_groups: list[str] = []
    resources: list[str] = []
    resource_names: list[str] = []
    non_resource_urls: list[str] = msgspec.field(default=[], name="nonResourceURLs")


class AggregationRoleTemplates(Wire, frozen=True, kw_only=True):
    """Role templates whose rules are added to the role."""

    template_names: list[str] = []
    role_selector: LabelSelector | None = None


class RoleStatus(Wire, frozen=True, kw_only=True):
    """What is known of a role or binding."""

    observed_generation: Count | None = None
    conditions: Conditions = []


class GlobalRole(Wire, frozen=True, kw_only=True):
    """GlobalRole is a set of rules that hold on the whole platform."""

    metadata: ObjectMeta
    aggregation_role_templates: AggregationRoleTemplates | None = None
    rules: list[PolicyRule] = []
    status: RoleStatus | None = None


class Subject(Wire, frozen=True, kw_only=True):
    """Who: a User, a Group, or a ServiceAccount."""

    kind: str
    name: str
    api_group: str = ""
    namespace: str = ""


class RoleReference(Wire, frozen=True, kw_only=True):
    """Which role."""

    kind: str
    name: str
    api_group: str = ""


class GlobalRoleBinding(Wire, frozen=True, kw_only=True):
    """GlobalRoleBinding gives a global role to users and groups."""

    metadata: ObjectMeta
    subjects: list[Subject] = []
    role_ref: RoleReference
    status: RoleStatus | None = None


KINDS: Final = (
    Kind(
        USERS,
        User,
        (),
        (
            Column("Email", ".spec.email"),
            Column("Status", ".status.state"),
            Column("Last Login", ".status.lastLoginTime", "date", priority=1),
            AGE,
        ),
    ),
    Kind(GLOBALROLES, GlobalRole),
    Kind(
        GLOBALROLEBINDINGS,
        GlobalRoleBinding,
        (),
        (Column("Role", ".roleRef.name"), Column("Subjects", ".subjects[*].name"), AGE),
    ),
)
