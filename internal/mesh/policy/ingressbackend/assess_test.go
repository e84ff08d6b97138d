package ingressbackend_test

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestConflictsOnSharedPods checks when an older policy of another Service opens a port of the same pods.
func TestConflictsOnSharedPods(t *testing.T) {
	open := func(name, service string, created int64, port uint16) *ingressbackend.Policy {
		return &ingressbackend.Policy{Name: Name("shop", name), Created: time.Unix(created, 0), Backends: []ingressbackend.Port{{Service: Name("shop", service), TargetPort: port}}}
	}
	pod := Pod("shop", "web-1", "web", "web", "10.0.0.1")
	first, second := Service("shop", "first", "web", "", 8080, inventory.ProtocolHTTP), Service("shop", "second", "web", "", 8080, inventory.ProtocolHTTP)
	second.Ports = append(second.Ports, inventory.Port{Number: 9090, TargetPort: 9090})
	for name, c := range map[string]struct {
		policy, other *ingressbackend.Policy
		isOutside     bool
		want          bool
	}{
		"alone":           {open("new", "second", 2, 8080), nil, false, false},
		"an older one":    {open("new", "second", 2, 8080), open("old", "first", 1, 8080), false, true},
		"a younger one":   {open("old", "second", 1, 8080), open("new", "first", 2, 8080), false, false},
		"of another port": {open("new", "second", 2, 9090), open("old", "first", 1, 8080), false, false},
		"whose Service does not lead to the port":    {open("new", "second", 2, 9090), open("old", "first", 1, 9090), false, false},
		"in a namespace that is no part of the mesh": {open("new", "second", 2, 8080), open("old", "first", 1, 8080), true, false},
	} {
		entries := []catalog.Entry{&catalog.Settings{}, &catalog.Namespace{Name: "shop", Monitored: !c.isOutside}, pod, first, second, c.policy}
		if c.other != nil {
			entries = append(entries, c.other)
		}
		found := ingressbackend.Assess(Apply(entries...).View(), c.policy)
		if len(found) > 0 != c.want || c.want && (found[0].Cause != finding.Conflict || found[0].Winner != c.other.Ref()) {
			t.Errorf("%s: %+v", name, found)
		}
	}
	missing := ingressbackend.Assess(Apply(&catalog.Settings{}).View(), open("p", "none", 1, 1))
	if len(missing) != 1 || missing[0].Missing != (entity.Ref{Kind: entity.KindService, Name: Name("shop", "none")}) {
		t.Errorf("without the Service: %+v", missing)
	}
}
