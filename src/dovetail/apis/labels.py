"""Every label, annotation, finalizer and well-known name of the platform, as published.

Source: reference/kubesphere-core.md 2, 3 and 9.1. Names only: who sets or reads one is said where it is used.
"""

from typing import Final

# Labels: who owns an object.
EXTENSION_REF: Final = "kubesphere.io/extension-ref"
REPOSITORY_REF: Final = "kubesphere.io/repository-ref"
CATEGORY: Final = "kubesphere.io/category"
SEED_CATEGORY: Final = "extensions.kubesphere.io/category"
WORKSPACE: Final = "kubesphere.io/workspace"
MANAGED: Final = "kubesphere.io/managed"
NAMESPACE: Final = "kubesphere.io/namespace"
REVERSE_PROXY_TARGET: Final = "kubesphere.io/reverse-proxy-target"
RESOURCE_SERVED: Final = "kubesphere.io/resource-served"

# Labels and annotations of identity and access.
USER_REF: Final = "iam.kubesphere.io/user-ref"
ROLE_REF: Final = "iam.kubesphere.io/role-ref"
SCOPE: Final = "iam.kubesphere.io/scope"
ROLE_CATEGORY: Final = "iam.kubesphere.io/category"
AGGREGATE_TO_PREFIX: Final = "iam.kubesphere.io/aggregate-to-"
AUTO_AGGREGATE: Final = "iam.kubesphere.io/auto-aggregate"
GLOBAL_ROLE: Final = "iam.kubesphere.io/globalrole"
GRANTED_CLUSTERS: Final = "iam.kubesphere.io/granted-clusters"
UNINITIALIZED: Final = "iam.kubesphere.io/uninitialized"
IDENTITY_PROVIDER_PREFIX: Final = "iam.kubesphere.io/identity-provider."
LAST_PASSWORD_CHANGE: Final = "iam.kubesphere.io/last-password-change-time"
ROLE_TEMPLATE_RULES: Final = "iam.kubesphere.io/role-template-rules"
ROLE_DEPENDENCIES: Final = "iam.kubesphere.io/dependencies"
REGO_OVERRIDE: Final = "iam.kubesphere.io/rego-override"
AGGREGATED_REGO: Final = "iam.kubesphere.io/aggregated-rego"
CATALOGUE_HASH: Final = "iam.kubesphere.io/catalogue-hash"
BUILTIN_ROLE: Final = "iam.kubesphere.io/builtin-role"

# Annotations.
DISPLAY_NAME: Final = "kubesphere.io/display-name"
ALIAS_NAME: Final = "kubesphere.io/alias-name"
DESCRIPTION: Final = "kubesphere.io/description"
CREATOR: Final = "kubesphere.io/creator"
COUNT: Final = "kubesphere.io/count"
CHANNEL: Final = "dovetail.dev/channel"
"""On a package how ready it is, on an Extension how unready a version may be that is recommended."""
REQUESTED_BY: Final = "dovetail.dev/requested-by"
"""On an InstallPlan: the user who changed it, written by a webhook and by nobody else."""
IGNORE_DEPENDENTS: Final = "dovetail.dev/ignore-dependents"
"""On an InstallPlan: its extension may go although others need it."""
RETRY: Final = "dovetail.dev/retry"
"""On an InstallPlan: a new value asks for another attempt."""
KS_VERSION: Final = "kubesphere.io/ks-version"
INSTALLATION_MODE: Final = "kubesphere.io/installation-mode"
EXTERNAL_DEPENDENCIES: Final = "kubesphere.io/external-dependencies"
FORCE_DELETE: Final = "kubesphere.io/force-delete"
DELETION_PROPAGATION: Final = "kubesphere.io/deletion-propagation"
HOOK_IMAGE: Final = "executor-hook-image.kubesphere.io"
EXECUTOR_ACTION: Final = "executor.kubesphere.io/action"

# Helm's own marks on objects it made.
HELM_RELEASE_NAME: Final = "meta.helm.sh/release-name"
HELM_RELEASE_NAMESPACE: Final = "meta.helm.sh/release-namespace"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"

# Finalizers.
INSTALLPLAN_PROTECTION: Final = "kubesphere.io/installplan-protection"
EXTENSION_PROTECTION: Final = "kubesphere.io/extension-protection"
REPOSITORY_PROTECTION: Final = "kubesphere.io/repository-protection"
CASCADING_DELETION: Final = "kubesphere.io/cascading-deletion"
USERS_FINALIZER: Final = "finalizers.kubesphere.io/users"

# Namespaces and workspaces.
SYSTEM_NAMESPACE: Final = "kubesphere-system"
SYSTEM_WORKSPACE: Final = "system-workspace"
EXTENSION_NAMESPACE_PREFIX: Final = "extension-"

# Values of status.state of the four kinds of extensions.kubesphere.io (2.1).
STATE_AVAILABLE: Final = "Available"
STATE_UNAVAILABLE: Final = "Unavailable"
STATE_DISABLED: Final = "Disabled"
