"""Tenancy: workspaces, the projects in them, their members and their quotas.

The model. A WorkspaceTemplate is what people edit; the Workspace of the same name stands for it on this cluster. A
project is a namespace with the label `kubesphere.io/workspace`. Members are whoever the bindings of a workspace or a
namespace name as subjects; nothing else makes a member. A workspace's quota becomes one ResourceQuota a project.

Pure: `placement`, `workspaces`, `projects`, `membership`, `quantities`, `quotas`: objects in, `actions` out; `guards`
(what the API server is told to ask us), `usage` and `ledger` (whether one more object fits).
Shells: `workspace_controllers`, `project_controller`, `quota_controller`, wired by `controllers`. HTTP is
`dovetail.platform`'s.
"""
