"""The platform's own HTTP API (/oauth, /kapis/iam.kubesphere.io, ...), one module an API group.

`app.create_app(deps.PlatformDeps(...))` makes it, `serve.serve` runs it on a private Unix socket behind the gateway.
"""
