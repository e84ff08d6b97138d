package plan

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// made is a random mesh, and the same after a random edit.
type made struct {
	before, after Mesh
	plan          *Changes
}

func apply(l Mesh, changes []catalog.Change) []catalog.Dep {
	for _, change := range changes {
		if change.Entry == nil {
			delete(l.Entries, change.Ref)
		} else {
			l.Entries[change.Ref] = change.Entry
		}
	}
	return l.Catalog.Apply(changes)
}

// clone is the same mesh in a catalog of its own.
func (l Mesh) clone() Mesh {
	copied := Mesh{Catalog: catalog.New(), Entries: maps.Clone(l.Entries)}
	for _, entry := range l.Entries {
		copied.Catalog.Apply([]catalog.Change{catalog.Set(entry)})
	}
	return copied
}

func drawEdit(t *rapid.T) made {
	m := made{before: Mesh{Catalog: catalog.New(), Entries: map[catalog.Ref]catalog.Entry{}}}
	apply(m.before, rapid.SliceOfN(meshtest.Change(), 30, 120).Draw(t, "mesh"))
	m.after = m.before.clone()
	change := meshtest.Change()
	if rapid.Bool().Draw(t, "grants alone") {
		change = change.Filter(func(c catalog.Change) bool {
			return c.Ref.Kind == catalog.KindTrafficTarget || c.Ref.Kind == catalog.KindHTTPRouteGroup || c.Ref.Kind == catalog.KindTCPRoute
		})
	}
	touched := apply(m.after, rapid.SliceOfN(change, 1, 4).Draw(t, "edit"))
	workloads := map[catalog.Name]string{}
	for _, l := range []Mesh{m.before, m.after} {
		for ref := range l.Entries {
			workloads[ref.Name] = "pod " + ref.Name.String()
		}
	}
	var err error
	m.plan, err = Compare(Subject{TrustDomain: "cluster.local", Workloads: workloads}, m.before, m.after, touched)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A sidecar is in the plan if and only if its whole configuration, made anew on both sides, is another one.
func TestProxiesOfRandomEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawEdit(t)
		told := map[string]Action{}
		for _, p := range m.plan.Proxies {
			told[p.Workload] = p.State
		}
		old, current := sidecars(m.before), sidecars(m.after)
		for pod, to := range current {
			from, existed := old[pod]
			name := "pod " + pod.String()
			if !existed {
				if told[name] != Added {
					t.Fatalf("%s is new, and the plan has it as %q", name, told[name])
				}
				continue
			}
			differs := whole(t, m.before, nil, from).differs(whole(t, m.after, scopeOf(m.before, from), to))
			if want := map[bool]Action{true: Changed, false: ""}[differs]; told[name] != want {
				t.Fatalf("%s: the plan says %q, and the configuration says %q", name, told[name], want)
			}
		}
		for pod := range old {
			if _, left := current[pod]; !left && told["pod "+pod.String()] != Removed {
				t.Fatalf("%s is gone, and the plan does not say so", pod)
			}
		}
	})
}

func scopeOf(l Mesh, k scope.Key) *scope.Scope {
	return scope.Build(l.Catalog.View(), "cluster.local", k)
}

// whole is the whole configuration of a sidecar, shared with nobody.
func whole(t *rapid.T, l Mesh, previous *scope.Scope, k scope.Key) contents {
	built := built{Scope: scopeOf(l, k)}
	if previous != nil {
		scope.CarryDrainMarks(previous, built.Scope)
	}
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

// Whatever of the policy engine's answers differs, the plan has a flow for it; and every flow is a difference.
func TestFlowsOfRandomEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawEdit(t)
		f := newFlows(m.before, m.after)
		for id, is := range f.after.doors {
			was := f.before.doors[id]
			if was == nil || was.permissive() != is.permissive() {
				continue // a flow speaks of several doors
			}
			for _, source := range slices.Concat(was.sources(), is.sources()) {
				if was.permissive() {
					continue
				}
				compareDoor(t, m.plan, question{flows: f, id: id, was: was, is: is, source: source})
			}
		}
		for _, flow := range m.plan.Flows {
			if flow.Before == flow.After {
				t.Fatalf("%+v is no difference", flow)
			}
		}
	})
}

func compareDoor(t *rapid.T, p *Changes, q question) {
	for _, path := range []string{"/x", "/y", "/z"} {
		s := sample{method: "GET", path: path}
		before, after := q.ask(q.flows.before, q.was, s), q.ask(q.flows.after, q.is, s)
		if before.access == after.access {
			continue
		}
		from := q.source.Namespace + "/" + q.source.Name
		if !slices.ContainsFunc(p.Flows, func(f Flow) bool { return f.From == from && f.To == q.id.String() }) {
			t.Fatalf("%s -> %s %s is %s and was %s, and no flow says so: %+v", from, q.id, path, after.access, before.access, p.Flows)
		}
	}
}

// What a flow calls allowed or denied is what the policy engine says, by another way of asking.
func TestAskAgreesWithDecide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawEdit(t)
		f := newFlows(m.before, m.after)
		for id, d := range f.after.doors {
			if d.pods != nil {
				continue
			}
			for _, name := range []string{"one", "two", "three"} {
				q := question{flows: f, id: id, is: d, source: identity.ServiceAccount{Namespace: "a", Name: name}}
				got := q.ask(f.after, d, sample{method: "GET", path: "/x"})
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
