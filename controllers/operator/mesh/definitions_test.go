package mesh

import (
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/config/crd"
)

// ownDefinition returns a definition as the operator has it.
func ownDefinition(t *testing.T, name string) *unstructured.Unstructured {
	t.Helper()
	definitions, err := ReadDefinitions(crd.SMI, crd.MCS)
	if err != nil {
		t.Fatal(err)
	}
	for _, definition := range definitions {
		if definition.GetName() == name {
			return definition
		}
	}
	t.Fatalf("there is no definition %s", name)
	return nil
}

// A definition of others is used if it serves the version that control planes read. Otherwise the remedy says what can be done, which is to replace it only if
// no other controller maintains it.
func TestDefinitionsOfOthersServeTheVersionThatIsRead(t *testing.T) {
	const splits, exports = "trafficsplits.split.smi-spec.io", "serviceexports.multicluster.x-k8s.io"
	for _, test := range []struct{ name, version, want string }{
		{splits, "v1alpha4", ""},
		{splits, "v1alpha2", "does not serve version v1alpha4; to let the operator replace the definition, run kubectl label crd " + splits},
		{exports, "v1alpha1", ""},
		{exports, "v1beta1", "does not serve version v1alpha1; ask them to serve it"},
	} {
		theirs := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: test.name}}
		theirs.Spec.Versions = []apiextensionsv1.CustomResourceDefinitionVersion{{Name: test.version, Served: true, Storage: true}}
		notes := missingVersions(ownDefinition(t, test.name), theirs)
		if len(notes) > 0 != (test.want != "") || !strings.Contains(strings.Join(notes, ""), test.want) {
			t.Errorf("%s with %s: %q, want %q", test.name, test.version, notes, test.want)
		}
	}
}

func TestReplacedDefinitions(t *testing.T) {
	const spec, status = `{"f:spec":{"f:versions":{}}}`, `{"f:status":{"f:conditions":{}}}`
	for name, test := range map[string]struct {
		entry metav1.ManagedFieldsEntry
		want  bool
	}{
		"the operator itself": {metav1.ManagedFieldsEntry{Manager: "osm-operator", FieldsV1: metav1.NewFieldsV1(spec)}, false},
		"the API server":      {metav1.ManagedFieldsEntry{Manager: "kube-apiserver", Subresource: "status", FieldsV1: metav1.NewFieldsV1(status)}, false},
		"a label":             {metav1.ManagedFieldsEntry{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:a":{}}}}`)}, false},
		"another controller":  {metav1.ManagedFieldsEntry{Manager: "network", FieldsV1: metav1.NewFieldsV1(spec)}, true},
	} {
		live := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{test.entry}}}
		if got := isReplaced(live); got != test.want {
			t.Errorf("%s: replaced is %t, want %t", name, got, test.want)
		}
	}
}
