{{/* Where the gateway finds the backend: the address from the values, else the Service beside this file. */}}
{{- define "backend.upstream" -}}
{{- if .Values.url -}}
url: {{ .Values.url | quote }}
{{- else -}}
service:
  namespace: {{ .Release.Namespace }}
  name: [[name]]-backend
  port: 8080
{{- end -}}
{{- end -}}

{{- define "backend.image" -}}
{{- with .Values.global.imageRegistry -}}{{ . | trimSuffix "/" }}/{{- end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- end -}}
