package catalog_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// An address counts only if the Service selects the existing pod that it belongs to. Otherwise a change of the pod would have
// to affect Services that do not select it.
func TestBackends(t *testing.T) {
	web := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	pod := func(change func(*inventory.Instance)) *inventory.Instance {
		p := Pod("shop", "web-0", "web", "web", "10.0.0.1")
		change(p)
		return p
	}
	tests := []struct {
		name string
		pod  *inventory.Instance
		want int
	}{
		{"a live pod that is selected", pod(func(*inventory.Instance) {}), 1},
		{"a pod that has finished", pod(func(p *inventory.Instance) { p.Finished = true }), 0},
		{"a pod that another Service selects", pod(func(p *inventory.Instance) { p.Labels = map[string]string{"app": "other"} }), 0},
		{"a pod without a sidecar", pod(func(p *inventory.Instance) { p.Injected = false }), 0},
		{"a pod with a sidecar of OSM", pod(func(p *inventory.Instance) { p.Injected, p.OSMSidecar = false, true }), 1},
		{"a pod with another address", pod(func(p *inventory.Instance) { p.IPs = Pod("x", "x", "x", "x", "10.0.0.2").IPs }), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			slice := Slice(web.Name, Pod("shop", "web-0", "web", "web", "10.0.0.1"))
			c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, web, slice)
			affected := c.Apply([]catalog.Change{catalog.Set(test.pod)})
			got := c.View().Backends(web, web.Ports[0])
			if len(got) != test.want {
				t.Errorf("backends %v, want %d", got, test.want)
			}
			dep := entity.DepEndpoints.Of(web.Name)
			if len(got) > 0 && !slices.Contains(affected, dep) {
				t.Errorf("the pod added an endpoint to the Service, but affected only %v", affected)
			}
		})
	}
}

// Replacing a pod by one with the same identity does not change the identities of the Service.
func TestServiceIdentitiesCountsPods(t *testing.T) {
	web := Service("shop", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP)
	one, two := Pod("shop", "one", "web", "web", "10.0.0.1"), Pod("shop", "two", "web", "web", "10.0.0.2")
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, web, one)
	identities := entity.DepServiceIdentities.Of(web.Name)
	steps := []struct {
		name     string
		change   catalog.Change
		affected bool
		want     int
	}{
		{"a second pod", catalog.Set(two), false, 1},
		{"the first leaves", catalog.Change{Ref: one.Ref()}, false, 1},
		{"the last leaves", catalog.Change{Ref: two.Ref()}, true, 0},
		{"one comes back", catalog.Set(one), true, 1},
	}
	for _, step := range steps {
		affected := slices.Contains(c.Apply([]catalog.Change{step.change}), identities)
		if got := len(c.View().ServiceIdentities(web.Name)); affected != step.affected || got != step.want {
			t.Errorf("%s: affected %v with %d identities, want %v with %d", step.name, affected, got, step.affected, step.want)
		}
	}
}

// An endpoint in two EndpointSlices is one backend, which is ready if one of them has it as ready.
func TestEndpointInTwoSlices(t *testing.T) {
	service, pod := Service("a", "web", "web", "10.96.0.1", 80, inventory.ProtocolHTTP), Pod("a", "web", "web", "web", "10.0.0.1")
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
