"""Server-side apply: who owns which field, and merging what a manager wishes into what is there.

Source: sigs.k8s.io/structured-merge-diff and the "Server-Side Apply" page of the Kubernetes documentation.
"""
