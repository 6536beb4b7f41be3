"""Charts written by the tests, as bytes."""

import io
import tarfile
from collections.abc import Mapping


def chart(name: str, version: str, files: Mapping[str, str], **metadata: object) -> bytes:
    """A .tgz of a chart; `files` are paths inside it."""
    lines = [f"{key}: {value}" for key, value in metadata.items()]
    manifest = "\n".join(["apiVersion: v2", f"name: {name}", f"version: {version}", *lines]) + "\n"
    return tgz({f"{name}/Chart.yaml": manifest, **{f"{name}/{path}": text for path, text in files.items()}})


def tgz(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-settings
data:
  color: {{ .Values.color | default "red" | quote }}
  version: {{ .Chart.Version | quote }}
"""

JOB_HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-slow
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: wait, image: example.test/wait}]
"""


def tiny(version: str = "1.0.0", name: str = "tiny", **files: str) -> bytes:
    return chart(name, version, {"templates/settings.yaml": CONFIG_MAP, **files})
