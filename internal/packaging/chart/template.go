package chart

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// render renders the objects of the template, and returns those of other templates.
func (t template) render(all []document) (string, []document, error) {
	var own []string
	var rest []document
	for _, d := range all {
		if !slices.Contains(t.kinds, d.kind) {
			rest = append(rest, d)
			continue
		}
		text := escape(d.text)
		if t.convert != nil {
			var err error
			if text, err = t.convert(text); err != nil {
				return "", nil, err
			}
		}
		own = append(own, strings.ReplaceAll(text, names.OperatorNamespace, "{{ .Release.Namespace }}"))
	}
	if len(own) == 0 {
		return "", nil, fmt.Errorf("the manifests have none of the kinds %v", t.kinds)
	}
	content := strings.Join(own, "---\n")
	if t.condition != "" {
		content = "{{- if " + t.condition + " }}\n" + content + "{{- end }}\n"
	}
	return content, rest, nil
}

// escape keeps Helm from reading the text as a template.
func escape(text string) string {
	return strings.ReplaceAll(text, "{{", `{{ "{{" }}`)
}

// keep adds the annotation with which Helm does not delete an object.
func keep(text string) (string, error) {
	return replace(text, "metadata:\n  annotations:\n", "metadata:\n  annotations:\n    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n")
}

// parametrize replaces the parts of the Deployment that values change.
func parametrize(text string) (string, error) {
	images := map[string]string{"image: ": "operator"}
	for _, image := range builtin.Images() {
		images["name: "+image.Variable+"\n          value: "] = image.HelmKey
	}
	var err error
	for before, name := range images {
		if text, err = value(text, before, func(old string) string {
			return fmt.Sprintf(`{{ include "osm-operator.image" (list $ %q %q) }}`, name, old)
		}); err != nil {
			return "", err
		}
	}
	for _, change := range changes() {
		if text, err = replace(text, change[0], change[1]); err != nil {
			return "", err
		}
	}
	return text, nil
}

// changes are parts of the Deployment and what replaces them.
func changes() [][2]string {
	const resources = "        resources:\n          limits:\n            memory: 512Mi\n          requests:\n            cpu: 20m\n            memory: 64Mi\n"
	return [][2]string{
		{"  replicas: 1\n", "  replicas: {{ .Values.replicas }}\n"},
		{"imagePullPolicy: IfNotPresent\n", "imagePullPolicy: {{ .Values.imagePullPolicy }}\n"},
		{"        - --leader-elect\n", "        - --leader-elect\n        {{- if ne .Values.logLevel \"info\" }}\n        - --log-level={{ .Values.logLevel }}\n        {{- end }}\n"},
		{resources, "        resources:\n          {{- toYaml .Values.resources | nindent 10 }}\n"},
		{"      priorityClassName: system-cluster-critical\n", block("priorityClassName", "      ", true)},
		{"    spec:\n      affinity:\n", "    spec:\n" + block("imagePullSecrets", "      ", false) + block("nodeSelector", "      ", false) +
			block("tolerations", "      ", false) + "      affinity:\n        {{- if .Values.affinity }}\n        {{- toYaml .Values.affinity | nindent 8 }}\n        {{- else }}\n"},
		{"      containers:\n", "        {{- end }}\n      containers:\n"},
		{"        kubectl.kubernetes.io/default-container: operator\n", "        kubectl.kubernetes.io/default-container: operator\n        {{- with .Values.podAnnotations }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n"},
	}
}

// block is a field that exists only if its value is set.
func block(name, indent string, scalar bool) string {
	if scalar {
		return fmt.Sprintf("%s{{- with .Values.%s }}\n%s%s: {{ . }}\n%s{{- end }}\n", indent, name, indent, name, indent)
	}
	return fmt.Sprintf("%s{{- with .Values.%s }}\n%s%s:\n%s  {{- toYaml . | nindent %d }}\n%s{{- end }}\n", indent, name, indent, name, indent, len(indent)+2, indent)
}

// replace replaces the only occurrence of a part of a text.
func replace(text, old, replacement string) (string, error) {
	if count := strings.Count(text, old); count != 1 {
		return "", fmt.Errorf("%q occurs %d times in the manifest, want once", old, count)
	}
	return strings.Replace(text, old, replacement, 1), nil
}

// value replaces the rest of the line after the only occurrence of a text.
func value(text, before string, replacement func(old string) string) (string, error) {
	if count := strings.Count(text, before); count != 1 {
		return "", fmt.Errorf("%q occurs %d times in the manifest, want once", before, count)
	}
	head, tail, _ := strings.Cut(text, before)
	old, rest, _ := strings.Cut(tail, "\n")
	return head + before + replacement(old) + "\n" + rest, nil
}
