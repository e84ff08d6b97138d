package catalog_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// An endpoint in two EndpointSlices is one backend, which is ready if one of them has it as ready.
func TestEndpointInTwoSlices(t *testing.T) {
	service, pod := Service("a", "web", "web", "10.96.0.1", 80, catalog.ProtocolHTTP), Pod("a", "web", "web", "web", "10.0.0.1")
	for _, names := range [][2]string{{"web-1", "web-2"}, {"web-2", "web-1"}} {
		ready, terminating := Slice(service.Name, pod), Slice(service.Name, pod)
		ready.Name, terminating.Name = Name("a", names[0]), Name("a", names[1])
		terminating.Endpoints[0].Ready, terminating.Endpoints[0].Terminating = false, true
		view := Apply(&catalog.Namespace{Name: "a", Monitored: true}, service, pod, ready, terminating).View()
		if got := view.Backends(service, service.Ports[0]); len(got) != 1 || !got[0].Ready {
			t.Errorf("ready in %s: %+v", names[0], got)
		}
	}
}
