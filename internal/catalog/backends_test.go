package catalog_test

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// An address counts only when the Service selects the live pod that it belongs to. Otherwise the coming and going of that pod
// would have to touch Services that know nothing of it.
func TestBackends(t *testing.T) {
	web := Service("shop", "web", "web", "10.96.0.1", 80, catalog.ProtocolHTTP)
	pod := func(change func(*catalog.Pod)) *catalog.Pod {
		p := Pod("shop", "web-0", "web", "web", "10.0.0.1")
		change(p)
		return p
	}
	tests := []struct {
		name string
		pod  *catalog.Pod
		want int
	}{
		{"a live pod that is selected", pod(func(*catalog.Pod) {}), 1},
		{"a pod that has finished", pod(func(p *catalog.Pod) { p.Finished = true }), 0},
		{"a pod that another Service selects", pod(func(p *catalog.Pod) { p.Labels = map[string]string{"app": "other"} }), 0},
		{"a pod without a sidecar", pod(func(p *catalog.Pod) { p.Injected = false }), 0},
		{"a pod with a sidecar of OSM", pod(func(p *catalog.Pod) { p.Injected, p.Earlier = false, true }), 1},
		{"a pod with another address", pod(func(p *catalog.Pod) { p.IPs = Pod("x", "x", "x", "x", "10.0.0.2").IPs }), 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			slice := Slice(web.Name, Pod("shop", "web-0", "web", "web", "10.0.0.1"))
			c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, web, slice)
			touched := c.Apply([]catalog.Change{catalog.Set(test.pod)})
			got := c.View().Backends(web, web.Ports[0])
			if len(got) != test.want {
				t.Errorf("backends %v, want %d", got, test.want)
			}
			dep := catalog.Dep{Kind: catalog.DepEndpoints, Name: web.Name}
			if len(got) > 0 && !slices.Contains(touched, dep) {
				t.Errorf("the pod gave the Service an endpoint, but touched only %v", touched)
			}
		})
	}
}

// Replacing a pod by one of the same identity leaves who is behind the Service as it was.
func TestBackersCountPods(t *testing.T) {
	web := Service("shop", "web", "web", "10.96.0.1", 80, catalog.ProtocolHTTP)
	one, two := Pod("shop", "one", "web", "web", "10.0.0.1"), Pod("shop", "two", "web", "web", "10.0.0.2")
	c := Apply(&catalog.Namespace{Name: "shop", Monitored: true}, web, one)
	backers := catalog.Dep{Kind: catalog.DepBackers, Name: web.Name}
	steps := []struct {
		name    string
		change  catalog.Change
		touches bool
		want    int
	}{
		{"a second pod", catalog.Set(two), false, 1},
		{"the first leaves", catalog.Change{Ref: one.Ref()}, false, 1},
		{"the last leaves", catalog.Change{Ref: two.Ref()}, true, 0},
		{"one comes back", catalog.Set(one), true, 1},
	}
	for _, step := range steps {
		touched := slices.Contains(c.Apply([]catalog.Change{step.change}), backers)
		if got := len(c.View().Backers(web.Name)); touched != step.touches || got != step.want {
			t.Errorf("%s: touched %v with %d identities, want %v with %d", step.name, touched, got, step.touches, step.want)
		}
	}
}
