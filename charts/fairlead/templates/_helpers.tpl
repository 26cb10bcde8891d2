{{/* Labels of everything, and those by which the operator's pods are found. */}}
{{- define "fairlead.selector" -}}
app.kubernetes.io/name: fairlead
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "fairlead.labels" -}}
app.kubernetes.io/name: fairlead
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The name of what is cluster-scoped ends so: no two releases share one. */}}
{{- define "fairlead.suffix" -}}
{{ .Release.Namespace }}.{{ .Release.Name }}.fairlead.dev
{{- end }}

{{- define "fairlead.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary .Release.Name "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* An image: a list of its values and the chart. */}}
{{- define "fairlead.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 1).AppVersion }}
{{- end }}
{{- end }}

{{/* Pod Security `restricted`, and a root that nobody writes to. */}}
{{- define "fairlead.podSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "fairlead.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- /* A kubelet takes the image's user, but not its group: that would be root's. */}}
runAsGroup: 65532
{{- end }}

{{/* What the operator does where runs are; tests/chart compares it with what it is seen to do. */}}
{{- define "fairlead.rules" -}}
# What people write. The operator makes children, keeps its finalizer and its labels on executions, and deletes those that
# retention keeps no longer.
- apiGroups: [fairlead.dev]
  resources: [workflows]
  verbs: [get, list, watch]
- apiGroups: [fairlead.dev]
  resources: [workflowexecutions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [fairlead.dev]
  resources: [workflows/status, workflowexecutions/status]
  verbs: [patch]
# Attempts of nodes.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
# Outputs that are too large for the message of a container stand in its log.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
# Logs, pinned definitions, checkpoints, large values, the cache.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, update, patch, delete]
# What `kubectl describe` shows of a run.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# The policy `records` demands it of whoever writes statuses and logs; no API serves it.
- apiGroups: [internal.fairlead.dev]
  resources: [records]
  verbs: [write]
{{- end }}

{{/* What `fairlead release --all` does. */}}
{{- define "fairlead.releaseRules" -}}
- apiGroups: [fairlead.dev]
  resources: [workflowexecutions]
  verbs: [get, list, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, patch]
{{- end }}
