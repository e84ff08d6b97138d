package mesh

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// TestCandidates checks that a change affects only its candidates, and that the optimized comparison equals a full comparison.
func TestCandidates(t *testing.T) {
	for _, mode := range Modes() {
		kinds := Kinds(Policy)
		if mode == OnDemand {
			kinds = Kinds(mode) // policies replace the cluster that a sidecar has asked for by others
		}
		for _, kind := range kinds {
			t.Run(string(mode)+" "+string(kind), func(t *testing.T) {
				quick, full := New(mode, 40), New(mode, 40)
				fast, slow := NewOracle(quick, []byte("root")), NewOracle(full, []byte("root"))
				for range 3 {
					want := compareAll(t, slow, full, full.Next(kind))
					got, err := fast.Apply(quick.Next(kind))
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, summary(got)); diff != "" {
						t.Fatalf("differs from a full comparison (-full +short cut):\n%s", diff)
					}
				}
			})
		}
	}
}

func TestPolicyChangesTouchFew(t *testing.T) {
	touched := func(mode Mode, kind Kind) (services int, types string) {
		m := New(mode, 80)
		got, err := NewOracle(m, []byte("root")).Apply(m.Next(kind))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, list := range got {
			for _, r := range list {
				all = append(all, r.TypeURL[strings.LastIndexByte(r.TypeURL, '.')+1:])
			}
		}
		slices.Sort(all)
		return len(got), strings.Join(slices.Compact(all), " ")
	}
	for _, tt := range []struct {
		mode     Mode
		kind     Kind
		services int
		types    string
	}{
		{Policy, Endpoint, callers, "ClusterLoadAssignment"},
		{Policy, Rules, 1, "RouteConfiguration"},
		{Policy, Limits, callers + 1, "Cluster ClusterLoadAssignment RouteConfiguration"},
		{Policy, Retry, 1, "RouteConfiguration"},
		{Visible, Endpoint, 40, "ClusterLoadAssignment"},
		{Visible, NewService, 40, "Cluster ClusterLoadAssignment Listener RouteConfiguration"},
		{OnDemand, Endpoint, used, "ClusterLoadAssignment"},
		{OnDemand, NewService, 0, ""},
		{Policy, NewService, callers, "Cluster ClusterLoadAssignment Listener RouteConfiguration"},
	} {
		if services, types := touched(tt.mode, tt.kind); services != tt.services || types != tt.types {
			t.Errorf("%s, %s: %d services get %q, want %d and %q", tt.mode, tt.kind, services, types, tt.services, tt.types)
		}
	}
}

// compareAll applies a change and compares the configuration of all services before and after it.
func compareAll(t *testing.T, o *Oracle, m *Mesh, c Change) map[int][]string {
	t.Helper()
	all := func() [][]Resource {
		list := make([][]Resource, m.Services)
		for i := range list {
			var err error
			if list[i], err = o.Resources(i); err != nil {
				t.Fatal(err)
			}
		}
		return list
	}
	before := all()
	o.catalog.Apply(c.Changes)
	after := all()
	differences := map[int][]Resource{}
	for i := range before {
		if diff := difference(before[i], after[i]); len(diff) > 0 {
			differences[i] = diff
		}
		if gone := difference(stripped(after[i]), stripped(before[i])); len(gone) > 0 {
			t.Fatalf("service %d loses %s", i, gone[0].Name)
		}
	}
	return summary(differences)
}

// stripped returns resources with their names only.
func stripped(list []Resource) []Resource {
	names := slices.Clone(list)
	for i := range names {
		names[i].Hash = 0
	}
	return names
}

func summary(differences map[int][]Resource) map[int][]string {
	names := map[int][]string{}
	for service, list := range differences {
		for _, r := range list {
			names[service] = append(names[service], r.TypeURL+" "+r.Name+" "+string(r.Value))
		}
		slices.Sort(names[service])
	}
	return names
}

func TestServicesDoNotShareAddresses(t *testing.T) {
	seen := map[string]string{}
	for _, entry := range New(Visible, 2000).Entries() {
		s, ok := entry.(*inventory.Service)
		if !ok {
			continue
		}
		for _, ip := range s.ClusterIPs {
			if other := seen[ip.String()]; other != "" {
				t.Errorf("%s and %s share %s", s.Name, other, ip)
			}
			seen[ip.String()] = s.Name.String()
		}
	}
}
