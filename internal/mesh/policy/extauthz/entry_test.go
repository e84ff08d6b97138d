package extauthz_test

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestOf finds the policies of a pod: the oldest one with a selector of each namespace, and else the oldest without one.
func TestOf(t *testing.T) {
	pod := Pod("shop", "web-1", "web", "web", "10.0.0.1")
	policy := func(namespace, name string, created int64, selector map[string]string) *extauthz.Policy {
		return &extauthz.Policy{Name: Name(namespace, name), Created: time.Unix(created, 0), Selector: selector}
	}
	settings := &catalog.Settings{Namespace: "osm-system"}
	for name, c := range map[string]struct {
		entries   []catalog.Entry
		own, mesh entity.Name
	}{
		"none":             {nil, entity.Name{}, entity.Name{}},
		"of the namespace": {[]catalog.Entry{policy("shop", "b", 2, nil), policy("shop", "a", 2, nil)}, Name("shop", "a"), entity.Name{}},
		"the oldest":       {[]catalog.Entry{policy("shop", "b", 1, nil), policy("shop", "a", 2, nil)}, Name("shop", "b"), entity.Name{}},
		"with a selector":  {[]catalog.Entry{policy("shop", "b", 2, pod.Labels), policy("shop", "a", 1, nil)}, Name("shop", "b"), entity.Name{}},
		"of other pods":    {[]catalog.Entry{policy("shop", "b", 1, map[string]string{"app": "other"})}, entity.Name{}, entity.Name{}},
		"of both":          {[]catalog.Entry{policy("shop", "b", 1, nil), policy("osm-system", "c", 1, pod.Labels)}, Name("shop", "b"), Name("osm-system", "c")},
		"of another":       {[]catalog.Entry{policy("bank", "b", 1, nil)}, entity.Name{}, entity.Name{}},
	} {
		if own, mesh := extauthz.Of(Apply(append(c.entries, settings)...).View(), pod); own != c.own || mesh != c.mesh {
			t.Errorf("%s: %v and %v, want %v and %v", name, own, mesh, c.own, c.mesh)
		}
	}
}

// TestOfPodsOfTheMesh checks that a pod in the namespace of the mesh has its policy once, and that policies there conflict like others.
func TestOfPodsOfTheMesh(t *testing.T) {
	old := &extauthz.Policy{Name: Name("osm-system", "old"), Created: time.Unix(1, 0), Service: Name("osm-system", "server")}
	younger := &extauthz.Policy{Name: Name("osm-system", "new"), Created: time.Unix(2, 0), Service: old.Service}
	server := &catalog.ExtensionService{Name: old.Service}
	v := Apply(old, younger, server, &catalog.Settings{Namespace: "osm-system"}).View()
	own, mesh := extauthz.Of(v, Pod("osm-system", "injector", "injector", "osm", "10.0.0.1"))
	if own != (entity.Name{}) || mesh != old.Name {
		t.Errorf("the policies are %v and %v, want only %v", own, mesh, old.Name)
	}
	if servers := extauthz.Servers(v, own, mesh); len(servers) != 1 || servers[0].Policy != old || !servers[0].MeshWide || servers[0].Service != server {
		t.Errorf("the servers are %+v", servers)
	}
	if found := extauthz.Assess(v, old, "osm-system"); len(found) > 0 {
		t.Errorf("the policy in force: %+v", found)
	}
	if found := extauthz.Assess(v, younger, "osm-system"); len(found) != 1 || found[0].Winner != old.Ref() {
		t.Errorf("the younger policy: %+v", found)
	}
}

// TestPoliciesAreRequired checks that no part of a configuration is built without a policy: it would allow what the server denies.
func TestPoliciesAreRequired(t *testing.T) {
	policy := &extauthz.Policy{Name: Name("shop", "a")}
	c := Apply(policy)
	v := c.View()
	if extauthz.Named(v, policy.Name) != policy {
		t.Error("the policy is not found")
	}
	if got := c.Policies(v.Deps()); len(got) > 0 {
		t.Errorf("policies that may be excluded are %v, want none", got)
	}
}
