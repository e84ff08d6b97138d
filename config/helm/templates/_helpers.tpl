{{/* The reference of an image: (list $ NAME DEFAULT). */}}
{{- define "osm-operator.image" -}}
{{- $values := (index . 0).Values -}}
{{- $own := index $values.images (index . 1) -}}
{{- if $own -}}
{{- $own -}}
{{- else if $values.imageRegistry -}}
{{- printf "%s/%s" $values.imageRegistry (index . 2) -}}
{{- else -}}
{{- index . 2 -}}
{{- end -}}
{{- end -}}
