package kinds_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

const root = "../../.."

func TestRolesHaveAllPolicies(t *testing.T) {
	for _, file := range []string{"config/rbac/role.yaml", "internal/operator/operand/manifests/current/controller.yaml"} {
		granted := map[string]bool{}
		for _, role := range documents[rbacv1.ClusterRole](t, file, "ClusterRole") {
			for _, rule := range role.Rules {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						granted[verb+" "+resource+"."+rule.APIGroups[0]] = true
					}
				}
			}
		}
		for _, kind := range policies() {
			for _, right := range []string{
				"list " + kind.Definition(), "watch " + kind.Definition(), "patch " + kind.Plural() + "/status." + kind.Group,
			} {
				if !granted[right] {
					t.Errorf("%s does not grant %q", file, right)
				}
				delete(granted, right)
			}
		}
		for right := range granted {
			if strings.HasSuffix(right, ".policy.openservicemesh.io") {
				t.Errorf("%s grants %q, but the kind is not in the table", file, right)
			}
		}
	}
}

func TestWebhookValidatesAllPolicies(t *testing.T) {
	const file = "internal/operator/operand/manifests/current/webhooks.yaml"
	want, wantMeshWide := []string{}, []string{"v1alpha2 meshconfigs.config.openservicemesh.io"}
	for _, kind := range policies() {
		want = append(want, kind.Version+" "+kind.Definition())
		if kind.MeshWide {
			wantMeshWide = append(wantMeshWide, kind.Version+" "+kind.Definition())
		}
	}
	for _, configuration := range documents[admissionv1.ValidatingWebhookConfiguration](t, file, "ValidatingWebhookConfiguration") {
		for i, want := range [][]string{want, wantMeshWide} {
			var got []string
			for _, rule := range configuration.Webhooks[i].Rules {
				for _, resource := range rule.Resources {
					got = append(got, rule.APIVersions[0]+" "+resource+"."+rule.APIGroups[0])
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s validates %v, want %v", configuration.Webhooks[i].Name, got, want)
			}
		}
	}
}

func TestTableHasTheNamesOfTheCRDs(t *testing.T) {
	table := map[string]kinds.Kind{}
	for _, kind := range kinds.All() {
		table[kind.Definition()] = kind
	}
	for _, folder := range []string{"config/crd/bases", "config/crd/smi"} {
		files, _ := filepath.Glob(filepath.Join(root, folder, "*.yaml"))
		for _, file := range files {
			file, _ = filepath.Rel(root, file)
			for _, definition := range documents[apiextensionsv1.CustomResourceDefinition](t, file, "CustomResourceDefinition") {
				kind, found := table[definition.Name]
				if definition.Spec.Group == "operator.openservicemesh.io" {
					continue
				}
				if !found || kind.Kind != definition.Spec.Names.Kind {
					t.Errorf("the table has no kind %s for %s", definition.Spec.Names.Kind, file)
				}
				for _, short := range definition.Spec.Names.ShortNames {
					if !kind.IsNamed(short) {
						t.Errorf("the table does not have the short name %s of %s", short, kind.Kind)
					}
				}
				for _, version := range definition.Spec.Versions {
					if version.Storage && kind.Version != version.Name {
						t.Errorf("the table has version %s of %s, but %s is stored", kind.Version, kind.Kind, version.Name)
					}
				}
			}
		}
	}
}

func TestDefinitionsAreThoseOfTheTable(t *testing.T) {
	var want []string
	for _, kind := range kinds.All() {
		want = append(want, kind.Definition())
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(kinds.Definitions()))); diff != "" {
		t.Errorf("osm uninstall deletes other CRDs than those of the table (-want +got):\n%s", diff)
	}
}

func policies() []kinds.Kind {
	return slices.DeleteFunc(kinds.All(), func(k kinds.Kind) bool { return !k.IsPolicy() })
}

// documents returns the objects of a kind in a file.
func documents[T any](t *testing.T, file, kind string) []T {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var list []T
	for text := range strings.SplitSeq(string(content), "\n---") {
		if !slices.Contains(strings.Split(text, "\n"), "kind: "+kind) {
			continue
		}
		var object T
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			t.Fatal(err)
		}
		list = append(list, object)
	}
	if len(list) == 0 {
		t.Fatalf("%s has no %s", file, kind)
	}
	return list
}
