package revision

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Pods whose template does not change keep the tokens of a deleted account, which the API server rejects.
func TestAccountIsPartOfThePodTemplate(t *testing.T) {
	account := func(name, uid string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{Object: map[string]any{"kind": "ServiceAccount", "metadata": map[string]any{"name": name, "uid": uid}}}
		return object
	}
	deployment := func(account string, annotations map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"kind": "Deployment", "spec": map[string]any{"template": map[string]any{
			"metadata": map[string]any{"annotations": annotations}, "spec": map[string]any{"serviceAccountName": account},
		}}}}
	}
	current := deployment("osm-controller", map[string]any{names.AccountAnnotation: ""})
	older := deployment("osm-injector", map[string]any{"other": "kept"})
	if err := setAccounts([]*unstructured.Unstructured{current, older}, []*unstructured.Unstructured{account("osm-controller", "1"), account("osm-injector", "2")}); err != nil {
		t.Fatal(err)
	}
	for object, want := range map[*unstructured.Unstructured]string{current: "1", older: ""} {
		got, _, _ := unstructured.NestedString(object.Object, "spec", "template", "metadata", "annotations", names.AccountAnnotation)
		if got != want {
			t.Errorf("the template has the account %q, want %q", got, want)
		}
	}
}
