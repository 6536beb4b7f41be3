"""iam.kubesphere.io/v1beta1: users, groups, roles and who holds them (reference/kubesphere-core.md 3.1, 3.5).

A role stands in one of four scopes: the platform (GlobalRole), a workspace (WorkspaceRole, which its label
`kubesphere.io/workspace` places), the cluster (ClusterRole) or a namespace (Role). All are shaped alike, and so are
their bindings. RoleTemplates are pieces that roles are put together from; a BuiltinRole is a role that every workspace
or namespace gets.

A password is only ever stored as a hash: the schema refuses anything else, so that no writer can leave a plain one in
the cluster.
"""

# ruff: noqa: RUF012 - msgspec gives every Struct a copy of an empty default of its own

from typing import Annotated, Any, Final, Literal

import msgspec

from dovetail.apis.kind import AGE, Column, Kind
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.wire import Conditions, Count, LabelSelector, Locales, ObjectMeta, Time, Wire, about

GROUP: Final = "iam.kubesphere.io"
VERSION: Final = "v1beta1"

USERS: Final = ResourceName(GROUP, VERSION, "users", "User")
GLOBALROLES: Final = ResourceName(GROUP, VERSION, "globalroles", "GlobalRole")
GLOBALROLEBINDINGS: Final = ResourceName(GROUP, VERSION, "globalrolebindings", "GlobalRoleBinding")
WORKSPACEROLES: Final = ResourceName(GROUP, VERSION, "workspaceroles", "WorkspaceRole")
WORKSPACEROLEBINDINGS: Final = ResourceName(GROUP, VERSION, "workspacerolebindings", "WorkspaceRoleBinding")
CLUSTERROLES: Final = ResourceName(GROUP, VERSION, "clusterroles", "ClusterRole")
CLUSTERROLEBINDINGS: Final = ResourceName(GROUP, VERSION, "clusterrolebindings", "ClusterRoleBinding")
ROLES: Final = ResourceName(GROUP, VERSION, "roles", "Role", namespaced=True)
ROLEBINDINGS: Final = ResourceName(GROUP, VERSION, "rolebindings", "RoleBinding", namespaced=True)
ROLETEMPLATES: Final = ResourceName(GROUP, VERSION, "roletemplates", "RoleTemplate")
BUILTINROLES: Final = ResourceName(GROUP, VERSION, "builtinroles", "BuiltinRole")
CATEGORIES: Final = ResourceName(GROUP, VERSION, "categories", "Category")
GROUPS: Final = ResourceName(GROUP, VERSION, "groups", "Group")
GROUPBINDINGS: Final = ResourceName(GROUP, VERSION, "groupbindings", "GroupBinding")
LOGINRECORDS: Final = ResourceName(GROUP, VERSION, "loginrecords", "LoginRecord")

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
    """What the role templates add to a role. What the role allows is this and its own rules."""

    templates: Annotated[list[str], about("The role templates that the role is put together from.")] = []
    aggregated_rules: Annotated[list[PolicyRule], about("The rules of these templates.")] = []
    aggregated_rego: Annotated[list[str], about("The Rego modules of these templates.")] = []
    observed_generation: Count | None = None
    conditions: Conditions = []


class ObjectStatus(Wire, frozen=True, kw_only=True):
    """What is known of the object."""

    observed_generation: Count | None = None
    conditions: Conditions = []


class GlobalRole(Wire, frozen=True, kw_only=True):
    """GlobalRole is a set of rules that hold on the whole platform."""

    metadata: ObjectMeta
    aggregation_role_templates: AggregationRoleTemplates | None = None
    rules: list[PolicyRule] = []
    status: RoleStatus | None = None


class WorkspaceRole(Wire, frozen=True, kw_only=True):
    """WorkspaceRole is a set of rules that hold in one workspace, which the label kubesphere.io/workspace names."""

    metadata: ObjectMeta
    aggregation_role_templates: AggregationRoleTemplates | None = None
    rules: list[PolicyRule] = []
    status: RoleStatus | None = None


class ClusterRole(Wire, frozen=True, kw_only=True):
    """ClusterRole is a set of rules that hold in the whole cluster."""

    metadata: ObjectMeta
    aggregation_role_templates: AggregationRoleTemplates | None = None
    rules: list[PolicyRule] = []
    status: RoleStatus | None = None


class Role(Wire, frozen=True, kw_only=True):
    """Role is a set of rules that hold in its namespace."""

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
    status: ObjectStatus | None = None


class WorkspaceRoleBinding(Wire, frozen=True, kw_only=True):
    """WorkspaceRoleBinding gives a role of its workspace to users and groups."""

    metadata: ObjectMeta
    subjects: list[Subject] = []
    role_ref: RoleReference
    status: ObjectStatus | None = None


class ClusterRoleBinding(Wire, frozen=True, kw_only=True):
    """ClusterRoleBinding gives a cluster role to users and groups."""

    metadata: ObjectMeta
    subjects: list[Subject] = []
    role_ref: RoleReference
    status: ObjectStatus | None = None


class RoleBinding(Wire, frozen=True, kw_only=True):
    """RoleBinding gives a role of its namespace to users and groups."""

    metadata: ObjectMeta
    subjects: list[Subject] = []
    role_ref: RoleReference
    status: ObjectStatus | None = None


class RoleTemplateSpec(Wire, frozen=True, kw_only=True):
    """What the template is called and what it lets one do."""

    display_name: Locales = ""
    description: Locales = ""
    rules: list[PolicyRule] = []


class RoleTemplate(Wire, frozen=True, kw_only=True):
    """RoleTemplate is a piece that roles are put together from; the label iam.kubesphere.io/scope says which roles."""

    metadata: ObjectMeta
    spec: RoleTemplateSpec
    status: ObjectStatus | None = None


class BuiltinRole(Wire, frozen=True, kw_only=True):
    """BuiltinRole is a role that every workspace, or every namespace that the selector matches, gets a copy of."""

    metadata: ObjectMeta
    target_selector: LabelSelector | None = None
    role: Annotated[dict[str, Any], about("The role: its kind, metadata, aggregationRoleTemplates and rules.")]
    status: ObjectStatus | None = None


class CategorySpec(Wire, frozen=True, kw_only=True):
    """How the category is shown."""

    display_name: Locales = ""
    description: Locales = ""
    icon: str = ""


class Category(Wire, frozen=True, kw_only=True):
    """Category is a heading under which role templates are shown."""

    metadata: ObjectMeta
    spec: CategorySpec
    status: ObjectStatus | None = None


class GroupSpec(Wire, frozen=True, kw_only=True):
    """What the group is called."""

    display_name: Locales = ""
    description: Locales = ""


class Group(Wire, frozen=True, kw_only=True):
    """Group is a set of users that roles may be given to."""

    metadata: ObjectMeta
    spec: GroupSpec | None = None
    status: ObjectStatus | None = None


class GroupBinding(Wire, frozen=True, kw_only=True):
    """GroupBinding puts users into a group."""

    metadata: ObjectMeta
    group_ref: RoleReference
    users: list[str] = []
    status: ObjectStatus | None = None


class LoginRecordSpec(Wire, frozen=True, kw_only=True):
    """How somebody logged in, or failed to."""

    type: Literal["Password", "OAuth", "Token"]
    provider: str = ""
    source_ip: str = msgspec.field(default="", name="sourceIP")
    user_agent: Annotated[str, about("What the client calls itself.", schema={"maxLength": 1024})] = ""
    success: bool
    reason: str = ""


class LoginRecord(Wire, frozen=True, kw_only=True):
    """LoginRecord is one try to log in; the label iam.kubesphere.io/user-ref names the user."""

    metadata: ObjectMeta
    spec: LoginRecordSpec
    status: ObjectStatus | None = None


_BINDING_COLUMNS: Final = (Column("Role", ".roleRef.name"), Column("Subjects", ".subjects[*].name"), AGE)
_WORKSPACE: Final = Column("Workspace", r".metadata.labels.kubesphere\.io/workspace")
_SCOPE: Final = Column("Scope", r".metadata.labels.iam\.kubesphere\.io/scope")
_TITLE: Final = Column("Display Name", ".spec.displayName.en")

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
    Kind(GLOBALROLEBINDINGS, GlobalRoleBinding, (), _BINDING_COLUMNS),
    Kind(WORKSPACEROLES, WorkspaceRole, (), (_WORKSPACE, AGE)),
    Kind(WORKSPACEROLEBINDINGS, WorkspaceRoleBinding, (), (_WORKSPACE, *_BINDING_COLUMNS)),
    Kind(CLUSTERROLES, ClusterRole),
    Kind(CLUSTERROLEBINDINGS, ClusterRoleBinding, (), _BINDING_COLUMNS),
    Kind(ROLES, Role),
    Kind(ROLEBINDINGS, RoleBinding, (), _BINDING_COLUMNS),
    Kind(
        ROLETEMPLATES,
        RoleTemplate,
        (),
        (_SCOPE, Column("Category", r".metadata.labels.iam\.kubesphere\.io/category"), _TITLE, AGE),
    ),
    Kind(BUILTINROLES, BuiltinRole, (), (_SCOPE, Column("Role", ".role.metadata.name"), AGE)),
    Kind(CATEGORIES, Category, (), (_TITLE, AGE)),
    Kind(GROUPS, Group),
    Kind(GROUPBINDINGS, GroupBinding, (), (Column("Group", ".groupRef.name"), Column("Users", ".users[*]"), AGE)),
    Kind(
        LOGINRECORDS,
        LoginRecord,
        (),
        (
            Column("User", r".metadata.labels.iam\.kubesphere\.io/user-ref"),
            Column("Type", ".spec.type"),
            Column("From", ".spec.sourceIP"),
            Column("Success", ".spec.success", "boolean"),
            Column("Reason", ".spec.reason", priority=1),
            AGE,
        ),
    ),
)
