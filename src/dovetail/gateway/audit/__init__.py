"""Audit: who asked for what, when, and what came of it.

In a worker, `recorder` makes one small `entry.Entry` of each request whose level (`policy`, pure) is not None, and
puts it among the worker's reports; no request waits. In control, `trail` turns entries into events of Kubernetes'
audit.k8s.io/v1 (`event`, with `redaction`), and hands their JSON lines to the sinks: `file_sink`, `webhook_sink`.
`configuration` keeps policy and webhook in step with the ConfigMap that describes them (`reading`).
"""
