"""The embedded cluster: a Kubernetes-compatible API on one machine.

Three rooms. ``apiserver`` stores objects and answers the Kubernetes API; it imports no other room, so that a real
kube-apiserver can take its place. ``controllers`` (namespaces, garbage collection, service accounts, workloads) and
``node`` (containers) are clients of that API like any other and use ``dovetail.kube``. ``dovetail.cli`` starts all.
"""
