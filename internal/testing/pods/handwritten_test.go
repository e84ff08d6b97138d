package pods_test

import (
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

const handwrittenService = `
metadata: {name: by-hand}
spec:
  clusterIPs: [10.96.0.3]
  ports: [{name: http, port: 80, targetPort: 9999}]
`

// addHandwritten adds a Service without a selector, whose EndpointSlice has the addresses of a pod and of nobody.
func (v *village) addHandwritten(t *testing.T, pod string) {
	t.Helper()
	v.services(t, handwrittenService)
	slice := &discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8080)}}}
	slice.Namespace, slice.Name = "shop", "by-hand"
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: "by-hand"}
	slice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{v.objects[pod].Status.PodIPs[0].IP}}, {Addresses: []string{"10.77.1.1"}}}
	entry, problems := ingest.EndpointSlice(slice)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	v.apply(catalog.Set(entry))
}

// handwritten checks that requests to a Service without a selector reach the pod at the address of its EndpointSlice, and that its policies apply.
func (v *village) handwritten(t *testing.T) {
	for range 10 {
		if got := v.pods["buyer"].Get(t, "http://10.96.0.3/books/1"); got.Status != 200 || !strings.HasPrefix(got.Body, "books-1 ") {
			t.Errorf("a request = %+v, want an answer of books-1", got)
		}
	}
	if got := v.pods["buyer"].Get(t, "http://10.96.0.3/other"); got.Status != 404 {
		t.Errorf("a request that no policy allows = %+v, want 404", got)
	}
}
