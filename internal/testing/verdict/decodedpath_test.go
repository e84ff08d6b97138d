package verdict

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestDecodedPathIsNotBelieved lets a Service begin and end to decode escaped slashes, again and again, while a client sends the header with which sidecars
// match decoded paths. Connections from before keep a connection manager that does not replace it.
func TestDecodedPathIsNotBelieved(t *testing.T) {
	t.Parallel()
	n := NewNetwork(t)
	w := podsOnly()
	for _, e := range []catalog.Entry{
		flippingService(0), newPod(0, "y", ready), newPod(2, "y", ready), Group("a", "g1", "/public"),
		Target("one", accounts[1], []catalog.TargetRule{HTTP("g1")}, accounts[0]),
	} {
		w[e.Ref()] = e
	}
	n.Reset(t, w)
	forged := webRequest("/admin", authz.Header{Name: "x-osm-path", Value: "/public"})
	allowed := webRequest("/public")
	l := n.startLoad([]Request{forged, forged, allowed})
	for i := range 20 {
		service, before := flippingService(0), n.State
		decodes := i%2 == 0
		service.DecodeSlashes = &decodes
		n.State = before.with([]catalog.Change{catalog.Set(service)})
		l.round()
		n.control.apply(changes(before.entries(), n.State.entries()))
		if problem := n.waitAcknowledged(); problem != "" {
			t.Fatal(problem)
		}
	}
	for _, s := range l.end() {
		want := "404"
		if s.request == 2 {
			want = "p2:8080"
		}
		if s.seen != want {
			t.Errorf("request %d sees %q, want %q", s.request, s.seen, want)
		}
	}
}
