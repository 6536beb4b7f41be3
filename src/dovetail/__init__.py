"""Dovetail: an open extension platform for Kubernetes. The rooms and their arrows are drawn in docs/architecture.md."""

__version__ = "0.1.0"
