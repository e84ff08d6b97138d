package endtoend

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// The control plane reads each object as the entry that it was made of. Otherwise sidecars would wait for other resources than they are sent.
func TestObjectsAreReadAsTheirEntries(t *testing.T) {
	m := mesh.New(mesh.Policy, 40)
	// UIDs are assigned by the API server, these labels only name the revision, and the order of sources has no meaning.
	ignored := cmp.Options{
		cmpopts.IgnoreFields(catalog.Pod{}, "UID", "Labels"), cmpopts.IgnoreFields(catalog.ServiceAccount{}, "UID"), cmpopts.EquateEmpty(),
		cmpopts.EquateComparable(netip.Addr{}), cmpopts.SortSlices(func(a, b identity.ServiceAccount) bool { return a.Name < b.Name }),
	}
	for _, entry := range m.Entries() {
		if _, isSettings := entry.(*catalog.Settings); isSettings {
			continue
		}
		o, err := object(entry)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(entry, read(t, o), ignored); diff != "" {
			t.Fatalf("%v (-entry +read):\n%s", entry.Ref(), diff)
		}
	}
}

func read(t *testing.T, o client.Object) catalog.Entry {
	t.Helper()
	switch o := o.(type) {
	case *corev1.Namespace:
		entry, _ := ingest.Namespace(o, meshName)
		return entry
	case *corev1.ServiceAccount:
		return ingest.ServiceAccount(o)
	case *corev1.Service:
		entry, _ := ingest.Service(o)
		return entry
	case *discoveryv1.EndpointSlice:
		entry, _ := ingest.EndpointSlice(o)
		return entry
	case *corev1.Pod:
		return ingest.Pod(o)
	case *unstructured.Unstructured:
		if o.GetKind() == "TrafficTarget" {
			entry, _ := ingest.TrafficTarget(o)
			return entry
		}
		entry, _ := ingest.HTTPRouteGroup(o)
		return entry
	}
	t.Fatalf("%T is not read", o)
	return nil
}
