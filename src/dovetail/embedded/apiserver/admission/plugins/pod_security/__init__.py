"""PodSecurity: what pods of a namespace may ask of the node, said by the namespace's labels.

``policy`` reads the labels, ``baseline`` and ``restricted`` hold the rules, ``evaluation`` picks those of a level and
version, ``plugin`` refuses pods and warns. Source: Kubernetes ``staging/src/k8s.io/pod-security-admission``.
"""

from .plugin import PodSecurity

__all__ = ["PodSecurity"]
