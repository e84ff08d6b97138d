package chart

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Name is the name of the chart.
const Name = "osm-operator"

// Input is what a chart is made from.
type Input struct {
	// Version is the version, such as v0.1.0.
	Version string
	// Manifests is the YAML stream of the operator's manifests.
	Manifests []byte
	// Files are those that the chart has as they are.
	Files fs.FS
	// Kubernetes is the oldest supported version of Kubernetes.
	Kubernetes string
}

// template is a generated template.
type template struct {
	name string
	// kinds are the kinds of its objects.
	kinds []string
	// condition is the value that includes the objects; empty means always.
	condition string
	// convert changes the text of an object into that of a template; nil means no change.
	convert func(text string) (string, error)
}

// templates are all generated templates, in the order of an installation.
func templates() []template {
	return []template{
		{"crds.yaml", []string{"CustomResourceDefinition"}, ".Values.crds.install", keep},
		{"rbac.yaml", []string{"ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}, "", annotateAccount},
		{"metrics.yaml", []string{"Service"}, "", nil},
		{"deployment.yaml", []string{"Deployment"}, "", parametrize},
		{"disruptionbudget.yaml", []string{"PodDisruptionBudget"}, "", nil},
		{"admission.yaml", []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}, ".Values.admissionPolicies.install", nil},
	}
}

// Render returns the files of the chart by their paths in it.
func Render(in Input) (map[string][]byte, error) {
	files := map[string][]byte{"Chart.yaml": metadata(in)}
	err := fs.WalkDir(in.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = fs.ReadFile(in.Files, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the files of the chart: %w", err)
	}
	rest := documents(in.Manifests)
	for _, t := range templates() {
		var content string
		if content, rest, err = t.render(rest); err != nil {
			return nil, fmt.Errorf("cannot generate the template %s: %w", t.name, err)
		}
		files[path.Join("templates", t.name)] = []byte(content)
	}
	// Helm creates the namespace of a release.
	for _, d := range rest {
		if d.kind != "Namespace" {
			return nil, fmt.Errorf("no template contains the %s of the manifests", d.kind)
		}
	}
	return files, nil
}

// metadata is the file Chart.yaml.
func metadata(in Input) []byte {
	return fmt.Appendf(nil, `apiVersion: v2
name: %s
description: The operator of Open Service Mesh, which installs, upgrades and observes service meshes with Envoy sidecars
type: application
version: %s
appVersion: %s
kubeVersion: ">=%s-0"
home: https://github.com/openservicemesh/osm-operator
sources: [https://github.com/openservicemesh/osm-operator]
keywords: [service mesh, envoy, smi, osm]
`, Name, strings.TrimPrefix(in.Version, "v"), in.Version, in.Kubernetes)
}

// document is an object of the manifests.
type document struct{ kind, text string }

// documents splits a YAML stream.
func documents(stream []byte) []document {
	var all []document
	for text := range bytes.SplitSeq(stream, []byte("\n---\n")) {
		kind := ""
		for line := range strings.Lines(string(text)) {
			if value, found := strings.CutPrefix(line, "kind: "); found {
				kind = strings.TrimSpace(value)
			}
		}
		all = append(all, document{kind, strings.TrimSpace(string(text)) + "\n"})
	}
	return all
}

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

// annotateAccount adds the annotations of the ServiceAccount.
func annotateAccount(text string) (string, error) {
	if !strings.Contains(text, "kind: ServiceAccount\nmetadata:\n") {
		return text, nil
	}
	return replace(text, "metadata:\n", "metadata:\n"+block("serviceAccountAnnotations", "annotations", "  "))
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
		{
			"name: " + operand.RegistryVariable + "\n          value: \"\"\n",
			"name: " + operand.RegistryVariable + "\n          value: {{ .Values.imageRegistry | quote }}\n",
		},
		{"imagePullPolicy: IfNotPresent\n", "imagePullPolicy: {{ .Values.imagePullPolicy }}\n"},
		{"        - --leader-elect\n", "        - --leader-elect\n        {{- if ne .Values.logLevel \"info\" }}\n        - --log-level={{ .Values.logLevel }}\n        {{- end }}\n"},
		{resources, "        resources:\n          {{- toYaml .Values.resources | nindent 10 }}\n"},
		{"      priorityClassName: system-cluster-critical\n", "      {{- with .Values.priorityClassName }}\n      priorityClassName: {{ . }}\n      {{- end }}\n"},
		{"      terminationGracePeriodSeconds: 45\n", "      terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}\n"},
		{"        - --metrics-bind-address=:8443\n", "        - --metrics-bind-address=:8443\n        {{- range .Values.extraArgs }}\n        - {{ . | quote }}\n        {{- end }}\n"},
		{"        image: ", "        {{- with .Values.env }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n        image: "},
		{"      labels:\n        app: osm-operator\n", "      labels:\n        app: osm-operator\n        {{- with .Values.podLabels }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n"},
		{"    spec:\n      affinity:\n", "    spec:\n" + block("imagePullSecrets", "imagePullSecrets",
			"      ") + block("nodeSelector", "nodeSelector", "      ") +
			block("tolerations", "tolerations", "      ") + "      affinity:\n        {{- if .Values.affinity }}\n        {{- toYaml .Values.affinity | nindent 8 }}\n        {{- else }}\n"},
		{"      containers:\n", "        {{- end }}\n      containers:\n"},
		{"        kubectl.kubernetes.io/default-container: operator\n", "        kubectl.kubernetes.io/default-container: operator\n        {{- with .Values.podAnnotations }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n"},
	}
}

// block is a field that exists only if a value is set.
func block(value, field, indent string) string {
	return fmt.Sprintf("%s{{- with .Values.%s }}\n%s%s:\n%s  {{- toYaml . | nindent %d }}\n%s{{- end }}\n", indent, value, indent, field, indent, len(indent)+2, indent)
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
