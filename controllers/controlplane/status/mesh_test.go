package status

import (
	"context"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/secrets"
	"github.com/openservicemesh/osm-operator/internal/controlplane/mirror"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// meshNamespace is the namespace of the mesh in tests.
const meshNamespace = "osm-system"

// meshOf returns the mesh that consists of objects. Their namespaces are part of the mesh, unless an object says otherwise.
func meshOf(t *testing.T, objects ...client.Object) *mirror.Mirror {
	t.Helper()
	mesh := mirror.New()
	changeMesh(t, mesh, append(namespacesOf(objects), objects...)...)
	return mesh
}

// meshConfigObject is the MeshConfig, in which every kind of policy is off.
func meshConfigObject() *configv1alpha2.MeshConfig {
	config := &configv1alpha2.MeshConfig{}
	config.Namespace, config.Name = meshNamespace, names.MeshConfig
	return config
}

// always is the InMesh of a Reconciler whose objects are all in the mesh.
func always(context.Context, *unstructured.Unstructured) (bool, error) { return true, nil }

// namespacesOf returns the namespaces of objects that are not among them.
func namespacesOf(objects []client.Object) []client.Object {
	known := map[string]bool{"": true, meshNamespace: true}
	for _, object := range objects {
		if namespace, ok := object.(*corev1.Namespace); ok {
			known[namespace.Name] = true
			if namespace.Labels == nil {
				namespace.Labels = map[string]string{names.MonitoredByLabel: "osm"}
			}
		}
	}
	var list []client.Object
	for _, object := range objects {
		if name := object.GetNamespace(); !known[name] {
			known[name] = true
			namespace := &corev1.Namespace{}
			namespace.Name, namespace.Labels = name, map[string]string{names.MonitoredByLabel: "osm"}
			list = append(list, namespace)
		}
	}
	return list
}

// changeMesh stores objects.
func changeMesh(t *testing.T, mesh *mirror.Mirror, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		for _, source := range meshSources() {
			if !isOf(source, object) {
				continue
			}
			typed := object
			if u, ok := object.(*unstructured.Unstructured); ok {
				var err error
				if typed, err = kinds.Typed(u, source.Object); err != nil {
					t.Fatal(err)
				}
			}
			entry, problems := source.Ingest(typed)
			ref := kinds.RefOf(source.Kind, entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()})
			change := catalog.Change{Ref: ref, Entry: entry, Exists: true}
			if len(problems) > 0 {
				change.Problem = problems[0].Message
			}
			mesh.Apply([]catalog.Change{change})
		}
	}
	mesh.Update(context.Background())
}

func meshSources() []kinds.Source {
	config := kinds.MeshConfig(func(*configv1alpha2.MeshConfig) {})
	return slices.Concat(kinds.Workloads("osm"), kinds.Policies(), kinds.GatewayAPI("osm"), []kinds.Source{config})
}

// isOf reports whether an object has the kind of a source.
func isOf(source kinds.Source, object client.Object) bool {
	u, ok := object.(*unstructured.Unstructured)
	if !ok {
		return reflect.TypeOf(source.Object) == reflect.TypeOf(object)
	}
	kind := u.GroupVersionKind()
	if _, isConfig := source.Object.(*configv1alpha2.MeshConfig); isConfig {
		return kind.Kind == "MeshConfig"
	}
	return source.Object.GetObjectKind().GroupVersionKind() == kind
}

// readCredentials stores what the control plane reads for an Egress from stored Secrets.
func readCredentials(t *testing.T, mesh *mirror.Mirror, object *unstructured.Unstructured, stored []client.Object) {
	t.Helper()
	policy, _ := ingest.Egress(object)
	if object.GetKind() != kinds.Egress.Kind || policy == nil {
		return
	}
	name, ok := policy.Credential()
	if !ok {
		return
	}
	isOther := func(o client.Object) bool { _, isSecret := o.(*corev1.Secret); return !isSecret }
	reader := fake.NewClientBuilder().WithObjects(slices.DeleteFunc(slices.Clone(stored), isOther)...).Build()
	data, problem, err := secrets.Read(t.Context(), reader, name, meshNamespace)
	if err != nil {
		t.Fatal(err)
	}
	entry := &catalog.EgressCredential{Name: name, Problem: problem}
	if problem == "" {
		entry = ingest.EgressCredential(name, data)
	}
	mesh.Apply([]catalog.Change{catalog.Set(entry)})
	mesh.Update(t.Context())
}
