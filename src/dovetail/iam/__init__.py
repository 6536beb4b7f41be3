"""Users, tokens, roles, and the one function that decides.

Pure: `attributes` (what a request asks), `policy` (who holds what), `compiler` (objects -> policy), `rules` and
`authorizer` (the decision), `escalation` (nobody grants what he lacks), `session` (rotation). Shells: `tokens`, `keys`,
`passwords`, `lockout`, `sessions`, `bootstrap`, `materialise`. Workers import `authorizer` and `tokens` only, so those
know nothing of Kubernetes. No HTTP here: that is `dovetail.platform` and `dovetail.gateway`.
"""
