"""The shapes of objects: one tree of nodes, read from Kubernetes' definitions or from a custom resource's schema."""
