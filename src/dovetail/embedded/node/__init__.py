"""The node of the embedded cluster: where pods run. Empty so far; this page is the seam.

A node will be one more client of the API, started by `cli` beside the controllers, with the same shape:

    async def serve(config: ClusterConfig, on_ready: Callable[[], None]) -> None

It registers a Node, renews its Lease, and reconciles the Pods whose `spec.nodeName` is its own through a container
runtime. It may import `dovetail.kube` and nothing else of the platform; the API server reaches it for logs, exec and
port-forward over the wire, as it reaches a kubelet.
"""
