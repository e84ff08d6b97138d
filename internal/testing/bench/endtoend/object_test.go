package endtoend

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/objects"
)

// The control plane reads each object as the entry that it was made of. Otherwise sidecars would wait for other resources than they are sent.
func TestObjectsAreReadAsTheirEntries(t *testing.T) {
	m := mesh.New(mesh.Policy, 40)
	m.Routes = 1
	// UIDs are assigned by the API server, these labels only name the revision, and the order of sources has no meaning.
	ignored := cmp.Options{
		cmpopts.IgnoreFields(inventory.Instance{}, "ID", "Labels"), cmpopts.IgnoreFields(catalog.ServiceAccount{}, "UID"), cmpopts.EquateEmpty(),
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
		return readPolicy(o)
	}
	t.Fatalf("%T is not read", o)
	return nil
}

func readPolicy(o *unstructured.Unstructured) catalog.Entry {
	switch o.GetKind() {
	case "TrafficTarget":
		entry, _ := ingest.TrafficTarget(o)
		return entry
	case "HTTPRoute":
		entry, _ := ingest.HTTPRoute(o)
		return entry
	}
	entry, _ := ingest.HTTPRouteGroup(o)
	return entry
}

// The API server creates the second route of a Service before the first, so the sidecars have it first.
func TestRoutesAreInTheOrderOfTheirCreation(t *testing.T) {
	m := mesh.New(mesh.Policy, 40)
	m.Routes = 2
	first := m.Next(mesh.Route).Changes[0].Entry.Ref().Name
	second := entity.Name{Namespace: first.Namespace, Name: strings.TrimSuffix(first.Name, "0") + "1"}
	older := time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
	var stored []metav1.PartialObjectMetadata
	for name, created := range map[entity.Name]time.Time{first: older.Add(time.Second), second: older} {
		meta := metav1.PartialObjectMetadata{ObjectMeta: objects.Meta(name)}
		meta.CreationTimestamp = metav1.NewTime(created.Local())
		stored = append(stored, meta)
	}
	m.Created = creationTimes(stored)
	resources, err := mesh.NewOracle(m, []byte("root")).Resources(1) // one of those that call the first Service
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		if !strings.HasPrefix(r.Name, "rds-outbound") || !bytes.Contains(r.Value, []byte("/route-0")) || !strings.HasSuffix(r.Name, "/service-0") {
			continue
		}
		if bytes.Index(r.Value, []byte("/route-1")) > bytes.Index(r.Value, []byte("/route-0")) {
			t.Errorf("%s has the newer route first", r.Name)
		}
		return
	}
	t.Error("no resource has the routes")
}
