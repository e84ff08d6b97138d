package compare

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// randomEdit is a random mesh before and after a random edit.
type randomEdit struct {
	before, after Mesh
	plan          *Changes
}

func apply(l Mesh, changes []catalog.Change) []entity.Dep {
	for _, change := range changes {
		if change.Entry == nil {
			delete(l.Entries, change.Ref)
		} else {
			l.Entries[change.Ref] = change.Entry
		}
	}
	return l.Catalog.Apply(changes)
}

// clone returns a copy of the mesh with its own catalog.
func (l Mesh) clone() Mesh {
	copied := Mesh{Catalog: catalog.New(), Entries: maps.Clone(l.Entries)}
	for _, entry := range l.Entries {
		copied.Catalog.Apply([]catalog.Change{catalog.Set(entry)})
	}
	return copied
}

func drawEdit(t *rapid.T) randomEdit {
	m := randomEdit{before: Mesh{Catalog: catalog.New(), Entries: map[entity.Ref]catalog.Entry{}}}
	apply(m.before, rapid.SliceOfN(meshtest.PeerChange(), 30, 120).Draw(t, "mesh"))
	m.after = m.before.clone()
	change := meshtest.PeerChange()
	if rapid.Bool().Draw(t, "only grants") {
		change = change.Filter(func(c catalog.Change) bool {
			return c.Ref.Kind == entity.KindTrafficTarget || c.Ref.Kind == entity.KindHTTPRouteGroup || c.Ref.Kind == entity.KindTCPRoute
		})
	}
	touched := apply(m.after, rapid.SliceOfN(change, 1, 4).Draw(t, "edit"))
	workloads := map[entity.Name]string{}
	for _, l := range []Mesh{m.before, m.after} {
		for ref := range l.Entries {
			workloads[ref.Name] = "pod " + ref.Name.String()
		}
	}
	var err error
	m.plan, err = Meshes(Subject{TrustDomain: "cluster.local", Workloads: workloads}, m.before, m.after, touched)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The plan contains a sidecar if and only if its complete configuration differs.
func TestProxiesOfRandomEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawEdit(t)
		planned := map[string]Action{}
		for _, p := range m.plan.Proxies {
			planned[p.Workload] = p.State
		}
		old, current := sidecars(m.before), sidecars(m.after)
		for pod, to := range current {
			from, existed := old[pod]
			name := "pod " + pod.String()
			if !existed {
				if planned[name] != Added {
					t.Fatalf("%s is new, and the plan state is %q", name, planned[name])
				}
				continue
			}
			differs := fullConfiguration(t, m.before, from).differs(fullConfiguration(t, m.after, to))
			if want := map[bool]Action{true: Changed, false: ""}[differs]; planned[name] != want {
				t.Fatalf("%s: plan state %q, want %q from the configuration", name, planned[name], want)
			}
		}
		for pod := range old {
			if _, left := current[pod]; !left && planned["pod "+pod.String()] != Removed {
				t.Fatalf("%s is removed, but not in the plan", pod)
			}
		}
	})
}

func scopeOf(l Mesh, k scope.Key) *scope.Scope {
	return scope.Build(l.Catalog.View(), "cluster.local", k)
}

// fullConfiguration returns the complete configuration of a sidecar, without shared destinations.
func fullConfiguration(t *rapid.T, l Mesh, k scope.Key) contents {
	built := built{Scope: scopeOf(l, k)}
	all, err := newSide(l.Catalog, Subject{TrustDomain: "cluster.local"}).contentsOf(built)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (all contents) differs(other contents) bool {
	if len(all) != len(other) {
		return true
	}
	for id, c := range all {
		if o, there := other[id]; !there || o.hash != c.hash {
			return true
		}
	}
	return false
}

// The plan has a flow for each verdict that differs, and each flow is a difference.
func TestFlowsOfRandomEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawEdit(t)
		f := newFlows(m.before, m.after)
		for id, after := range f.after.ports {
			before := f.before.ports[id]
			if before == nil || before.isPermissive() != after.isPermissive() {
				continue // one flow covers several ports
			}
			for _, source := range slices.Concat(before.sources(), after.sources()) {
				if before.isPermissive() {
					continue
				}
				comparePort(t, m.plan, portComparison{flows: f, id: id, before: before, after: after, source: source})
			}
		}
		for _, flow := range m.plan.Flows {
			if flow.Before == flow.After {
				t.Fatalf("%+v has no difference", flow)
			}
		}
	})
}

func comparePort(t *rapid.T, p *Changes, c portComparison) {
	for _, path := range []string{"/x", "/y", "/z"} {
		s := sample{method: "GET", path: path}
		before, after := c.evaluate(c.flows.before, c.before, s), c.evaluate(c.flows.after, c.after, s)
		if before.access == after.access {
			continue
		}
		from := c.source.Namespace + "/" + c.source.Name
		if !slices.ContainsFunc(p.Flows, func(f Flow) bool { return f.From == from && f.To == c.id.String() }) {
			t.Fatalf("%s -> %s %s is %s and was %s, without a flow: %+v", from, c.id, path, after.access, before.access, p.Flows)
		}
	}
}

// The access of a flow agrees with the verdict of the policy engine.
func TestAskAgreesWithDecide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawEdit(t)
		f := newFlows(m.before, m.after)
		for id, p := range f.after.ports {
			if p.pods != nil {
				continue
			}
			for _, name := range []string{"one", "two", "three"} {
				q := portComparison{flows: f, id: id, after: p, source: identity.ServiceAccount{Namespace: "a", Name: name}}
				got := q.evaluate(f.after, p, sample{method: "GET", path: "/x"})
				verdict := authz.Decide(m.after.Catalog.View(), authz.Request{
					Source: q.source, Service: id.service, Port: id.port, Method: "GET", Path: "/x",
					Headers: []authz.Header{{Name: ":authority", Value: fmt.Sprintf("%s.%s:%d", id.service.Name, id.service.Namespace, id.port)}},
				})
				if want := verdict.Always(authz.Allowed); (got.access == Allowed) != want {
					t.Fatalf("%s to %s: %v, and the verdict is %v", q.source, id, got, verdict)
				}
			}
		}
	})
}
