package scope_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// TestCarryDrainMarks checks that a port gets a new mark exactly if a source loses its permission to connect.
func TestCarryDrainMarks(t *testing.T) {
	allow := func(policy string, sources ...string) authz.NetworkRule {
		rule := authz.NetworkRule{Policy: policy}
		for _, name := range sources {
			rule.Sources = append(rule.Sources, identity.ServiceAccount{Namespace: "ns", Name: name})
		}
		return rule
	}
	rules := func(network ...authz.NetworkRule) authz.Rules { return authz.Rules{Network: network} }
	permissive := authz.Rules{Permissive: true}
	for name, test := range map[string]struct {
		before, after authz.Rules
		marked        bool
	}{
		"nothing changes":                  {rules(allow("ns/p", "a")), rules(allow("ns/p", "a")), false},
		"a source is added":                {rules(allow("ns/p", "a")), rules(allow("ns/p", "a", "b")), false},
		"a source is removed":              {rules(allow("ns/p", "a", "b")), rules(allow("ns/p", "a")), true},
		"the last source is removed":       {rules(allow("ns/p", "a")), rules(), true},
		"another policy grants it as well": {rules(allow("ns/p", "a"), allow("ns/q", "a")), rules(allow("ns/q", "a")), false},
		"one source replaces another":      {rules(allow("ns/p", "a")), rules(allow("ns/p", "b")), true},
		"permissive mode begins":           {rules(allow("ns/p", "a")), permissive, false},
		"permissive mode ends":             {permissive, rules(allow("ns/p", "a")), true},
	} {
		t.Run(name, func(t *testing.T) {
			build := func(r authz.Rules) *scope.Scope {
				return &scope.Scope{Sidecar: scope.Sidecar{
					Inbound: []scope.Inbound{{Service: catalog.Name{Namespace: "ns", Name: "s"}, TargetPort: 1, Rules: r}},
				}}
			}
			before, after := build(test.before), build(test.after)
			before.Inbound[0].DrainMark = "old"
			scope.CarryDrainMarks(before, after)
			mark := after.Inbound[0].DrainMark
			if marked := mark != "old"; marked != test.marked || mark == "" {
				t.Errorf("mark = %q, want a new one: %t", mark, test.marked)
			}
			later := build(test.after)
			scope.CarryDrainMarks(after, later)
			if later.Inbound[0].DrainMark != mark {
				t.Errorf("the mark becomes %q without a change, want %q", later.Inbound[0].DrainMark, mark)
			}
		})
	}
	before := &scope.Scope{Sidecar: scope.Sidecar{Inbound: []scope.Inbound{{TargetPort: 1, DrainMark: "old"}}}}
	after := &scope.Scope{Sidecar: scope.Sidecar{Inbound: []scope.Inbound{{TargetPort: 2}}}}
	scope.CarryDrainMarks(before, after)
	if mark := after.Inbound[0].DrainMark; mark != "" {
		t.Errorf("a new port gets the mark %q of another one", mark)
	}
}

// TestKeepDrainMarks checks that a scope that is not sent keeps the marks, also where a source lost its permission.
func TestKeepDrainMarks(t *testing.T) {
	allowed := authz.Rules{Network: []authz.NetworkRule{{Policy: "ns/p", Sources: []identity.ServiceAccount{{Namespace: "ns", Name: "a"}}}}}
	sent := &scope.Scope{
		Sidecar: scope.Sidecar{
			Inbound: []scope.Inbound{{TargetPort: 1, Rules: allowed, DrainMark: "one"}, {TargetPort: 2, Rules: allowed, DrainMark: "two"}},
		},
	}
	trial := &scope.Scope{Sidecar: scope.Sidecar{Inbound: []scope.Inbound{{TargetPort: 1, Rules: allowed}, {TargetPort: 2}, {TargetPort: 3}}}}
	scope.KeepDrainMarks(sent, trial)
	for i, want := range []string{"one", "two", ""} {
		if got := trial.Inbound[i].DrainMark; got != want {
			t.Errorf("port %d has the mark %q, want %q", trial.Inbound[i].TargetPort, got, want)
		}
	}
}
