"""Writing kubeconfig files: one cluster, one user with an embedded client certificate, one context.

JSON is YAML, and every reader of kubeconfigs takes it; block YAML is written all the same, because people open these
files.
"""

from __future__ import annotations

import base64
from pathlib import Path

from .pki import Credential, write_private

_TEMPLATE = """\
apiVersion: v1
kind: Config
clusters:
- name: dovetail
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: dovetail
  context:
    cluster: dovetail
    user: {user}
    namespace: default
current-context: dovetail
"""


def write_kubeconfig(path: Path, server: str, ca_pem: bytes, user: str, credential: Credential) -> None:
    """Write a kubeconfig (mode 0600) for ``server`` (an https URL) that logs in with ``credential``."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = _TEMPLATE.format(
        server=server, user=user, ca=_data(ca_pem), certificate=_data(credential.certificate), key=_data(credential.key)
    )
    write_private(path, text.encode())


def _data(content: bytes) -> str:
    return base64.b64encode(content).decode()
