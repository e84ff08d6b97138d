package platforms

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// namespaces are those of the operator and of the sample mesh.
var namespaces = []string{"osm-operator-system", "osm-system"}

// GKE rejects pods of a critical priority class without a quota for it.
func TestQuotaPermitsEachPriorityClass(t *testing.T) {
	files, err := filepath.Glob("../../internal/operator/operand/manifests/current/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests of the control plane: %v", err)
	}
	classes := map[string]bool{}
	for _, file := range append(files, "../manager/deployment.yaml") {
		for _, found := range regexp.MustCompile(`priorityClassName: (\S+)`).FindAllSubmatch(read(t, file), -1) {
			classes[string(found[1])] = true
		}
	}
	if len(classes) == 0 {
		t.Fatal("no manifest has a priority class")
	}
	var covered []string
	for _, quota := range decode[corev1.ResourceQuota](t, "gke/quota.yaml") {
		covered = append(covered, quota.Namespace)
		for class := range classes {
			if !slices.Contains(quota.Spec.ScopeSelector.MatchExpressions[0].Values, class) {
				t.Errorf("the quota of %s does not name %s", quota.Namespace, class)
			}
		}
	}
	if !slices.Equal(covered, namespaces) {
		t.Errorf("quotas for %v, want %v", covered, namespaces)
	}
}

func TestConstraintIsBoundWhereTheMeshRuns(t *testing.T) {
	var covered []string
	for _, binding := range decode[rbacv1.RoleBinding](t, "openshift/mesh.yaml") {
		covered = append(covered, binding.Namespace)
		if want := "system:serviceaccounts:" + binding.Namespace; binding.Subjects[0].Name != want {
			t.Errorf("the binding of %s is for %s, want %s", binding.Namespace, binding.Subjects[0].Name, want)
		}
	}
	if !slices.Equal(covered, namespaces) {
		t.Errorf("bindings for %v, want %v", covered, namespaces)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// decode returns the documents of a file, which must have known fields only.
func decode[T any](t *testing.T, file string) []T {
	t.Helper()
	var all []T
	for _, document := range bytes.Split(read(t, file), []byte("\n---\n")) {
		var one T
		if err := yaml.UnmarshalStrict(document, &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
	return all
}
