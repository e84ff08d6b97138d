package chart

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"
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
		{"rbac.yaml", []string{"ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}, "", nil},
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
