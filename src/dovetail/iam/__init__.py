"""Users, tokens, roles, and the one function that decides.

Pure: `attributes` (what a request asks), `policy` (who holds what), `compiler` (objects -> policy), `rules` and
`authorizer` (the decision), `escalation` (nobody grants what he lacks), `session` (refresh tokens), `idleness` (when a
session ends of itself), `rotation` (when the next key takes over), `assertions` (what backends are told). Shells:
`tokens`, `keys`, `assertion_keys`, `passwords`, `lockout`, `sessions`, `idle_sessions`, `ended_accounts`, `bootstrap`,
`materialise`.

Roles, pure: `role_catalogue` and `builtin_roles` (what the platform brings along), `aggregation` (templates into
roles), `rbac_rules` and `rbac_objects` (roles in the words of Kubernetes' RBAC). Their controllers: `shipped`,
`instances` (copies of built-in roles), `aggregation_controllers`, `rbac_controllers` on `rbac_sources`,
`deleted_users`.

Workers import `authorizer`, `tokens` and `assertions` only, so those know nothing of Kubernetes. No HTTP
here: that is `dovetail.platform` and `dovetail.gateway`.
"""
