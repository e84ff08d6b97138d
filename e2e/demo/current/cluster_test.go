package current

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// clusterWith returns a client of a cluster with objects.
func clusterWith(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func namespace(name string) client.Object {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func mesh(name string) client.Object {
	return &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func operatorIn(name string) client.Object {
	labels := map[string]string{"app.kubernetes.io/name": "openservicemesh.io", "app.kubernetes.io/component": "operator"}
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: names.Operator, Namespace: name, Labels: labels}}
}

func TestConflictsNameWhatIsInTheWay(t *testing.T) {
	definition := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "meshconfigs.config.openservicemesh.io"}}
	unrelated := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "certificates.cert-manager.io"}}
	for name, tt := range map[string]struct {
		objects []client.Object
		want    string
	}{
		"nothing":                  {[]client.Object{namespace("default"), unrelated}, ""},
		"another operator":         {[]client.Object{operatorIn("mesh-team")}, "an operator of Open Service Mesh runs in namespace mesh-team"},
		"definitions":              {[]client.Object{definition}, "CustomResourceDefinitions of Open Service Mesh exist: 1, such as meshconfigs.config.openservicemesh.io"},
		"a control plane":          {[]client.Object{namespace(names.DefaultNamespace)}, "namespace osm-system exists"},
		"the operator's namespace": {[]client.Object{namespace(names.OperatorNamespace)}, "namespace osm-operator-system exists"},
		"another bookstore":        {[]client.Object{namespace("bookstore")}, "namespace bookstore exists, and this demo did not create it"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Conflicts(t.Context(), clusterWith(t, tt.objects...))
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// A second run finds its own namespaces, the operator, the definitions and the Mesh.
func TestEarlierDemoIsNoConflict(t *testing.T) {
	definition := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "meshes.operator.openservicemesh.io"}}
	c := clusterWith(t, definition, operatorIn(names.OperatorNamespace))
	for range 2 {
		if err := MarkNamespaces(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := MarkMesh(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := Conflicts(t.Context(), c); err != nil {
		t.Error(err)
	}
	removal, err := FindRemoval(t.Context(), c)
	if err != nil || !removal.Mesh || !removal.MeshNamespace || !removal.Operator || len(removal.Kept) != 1 || !slices.Equal(removal.Namespaces, Namespaces()) {
		t.Errorf("%+v %v", removal, err)
	}
}

func TestOnlyMarkedObjectsAreRemoved(t *testing.T) {
	c := clusterWith(t, namespace("bookstore"), namespace(names.OperatorNamespace), mesh(names.DefaultMesh))
	removal, err := FindRemoval(t.Context(), c)
	if err != nil || removal.Mesh || removal.MeshNamespace || removal.Operator || len(removal.Namespaces) > 0 {
		t.Errorf("%+v %v, want nothing to remove", removal, err)
	}
	want := []string{
		"namespace bookstore, because the demo did not create it", "Mesh osm, because the demo did not create it",
		"namespace osm-operator-system, because the demo did not create it",
	}
	if !slices.Equal(removal.Kept, want) {
		t.Errorf("kept %q, want %q", removal.Kept, want)
	}
}

// Removing the operator removes the definitions, and with them the meshes of others.
func TestOperatorStaysForOtherMeshes(t *testing.T) {
	c := clusterWith(t, mesh("payments"))
	if err := MarkNamespaces(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := MarkMesh(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	removal, err := FindRemoval(t.Context(), c)
	if err != nil || !removal.Mesh || removal.Operator || !slices.Contains(removal.Kept, "the operator, because there are other meshes") {
		t.Errorf("%+v %v", removal, err)
	}
}
