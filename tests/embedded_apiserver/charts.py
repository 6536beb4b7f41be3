"""A small chart for the Helm tests, written to a directory."""

from pathlib import Path

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {size: "{{ .Values.size }}"}
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: x}, ports: [{port: 80, name: http}, {port: 81, name: other}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: "{{ .Release.Name }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec:
      serviceAccountName: "{{ .Release.Name }}"
      containers:
      - {name: c, image: "nginx:{{ .Values.size }}", ports: [{containerPort: 80}]}
      {{- if .Values.sidecar }}
      - {name: sidecar, image: busybox}
      {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: "{{ .Release.Name }}"}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: gadgets.example.dev/v1
kind: Gadget
metadata: {name: "{{ .Release.Name }}"}
spec: {size: {{ .Values.size }}}
"""

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.gadgets.example.dev}
spec:
  group: gadgets.example.dev
  scope: Namespaced
  names: {plural: gadgets, kind: Gadget}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}
"""


def write_chart(folder: Path) -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "crds").mkdir()
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 0.1.0\n")
    (folder / "values.yaml").write_text("size: 1\nreplicas: 1\nsidecar: true\n")
    (folder / "templates/all.yaml").write_text(TEMPLATE)
    (folder / "crds/gadgets.yaml").write_text(DEFINITION)
    return folder
