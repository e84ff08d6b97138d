package page_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// denial is one of the last minute.
func denial(client, service, server string, rate float64) report.Denial {
	return report.Denial{
		Client: client, Service: service, Server: server, Address: "10.0.0.9:80", Side: report.AtClient, Reason: "no policy", Count: 40, Rate: rate, Last: now.Add(-time.Second),
	}
}

// TestDeniedClientsAreOnTheGraph has denials of Services, servers, addresses and clients without identity. An old one is not on the graph.
func TestDeniedClientsAreOnTheGraph(t *testing.T) {
	old := denial("shop/old", "shop/web", "", 0)
	old.Last = now.Add(-time.Hour)
	nodes, edges := page.Graph(page.Traffic{
		Loads:   []report.Load{{Client: "shop/buyer", Cluster: "shop/web|80", Rate: 2, LoadCounts: report.LoadCounts{Issued: 4, Succeeded: 4}}},
		Backing: page.Backing{"shop/web": {"shop/web"}},
		Denials: []report.Denial{
			denial("shop/thief", "shop/web", "", 1), denial("shop/buyer", "", "shop/web", 0.5), denial("shop/thief", "", "shop/db", 1), denial("shop/thief", "", "", 1),
			denial("", "shop/web", "", 3), old,
		},
		At: now,
	})
	denied := map[string]bool{}
	for _, n := range nodes {
		denied[n.ID] = n.Denied
	}
	if diff := cmp.Diff(map[string]bool{
		"outside:clients without identity": true, "outside:10.0.0.9:80": false, "service:shop/web": false, "workload:shop/web": false, "workload:shop/db": false,
		"workload:shop/buyer": true, "workload:shop/thief": true,
	}, denied); diff != "" {
		t.Errorf("denied clients (-want +got):\n%s", diff)
	}
	one := 1.0
	because := []string{"no policy"}
	if diff := cmp.Diff([]page.Edge{
		{From: "outside:clients without identity", To: "service:shop/web", MTLS: true, Denied: 3, Denials: 40, Reasons: because},
		{From: "service:shop/web", To: "workload:shop/web", Backs: true, MTLS: true},
		{From: "workload:shop/buyer", To: "service:shop/web", Port: "80", MTLS: true, Rate: 2, Success: &one, Denied: 0.5, Denials: 40, Reasons: because},
		{From: "workload:shop/thief", To: "outside:10.0.0.9:80", Denied: 1, Denials: 40, Reasons: because},
		{From: "workload:shop/thief", To: "service:shop/web", MTLS: true, Denied: 1, Denials: 40, Reasons: because},
		{From: "workload:shop/thief", To: "workload:shop/db", MTLS: true, Denied: 1, Denials: 40, Reasons: because},
	}, edges); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

// TestPoliciesCountDenialsAtTheirDestination has no Prometheus. The denial at another destination does not count.
func TestPoliciesCountDenialsAtTheirDestination(t *testing.T) {
	r := shop(t, nil, target("shop", condition("Accepted", "True", "Accepted")))
	r.Denials = func(context.Context) ([]report.Denial, error) {
		return []report.Denial{denial("shop/thief", "shop/db", "", 5), denial("shop/thief", "shop/web", "", 1), denial("shop/buyer", "", "shop/web", 0.5)}, nil
	}
	s := read(t, r)
	if p := s.Policies[0]; p.Allowed == nil || *p.Allowed != 2 || p.Denied == nil || *p.Denied != 1.5 {
		t.Errorf("policy %+v: want 2 allowed and 1.5 denied", p)
	}
	if len(s.Denials) != 3 || s.Denials[0].Rate != 5 {
		t.Errorf("denials %+v: want the most frequent first", s.Denials)
	}
}

// TestUnknownDenialsAreNotZero has a control plane that does not report denials.
func TestUnknownDenialsAreNotZero(t *testing.T) {
	s := read(t, shop(t, nil, target("shop", condition("Accepted", "True", "Accepted"))))
	if s.Denials != nil || s.Policies[0].Denied != nil {
		t.Errorf("denials %v, and %v at the policy, want unknown ones", s.Denials, s.Policies[0].Denied)
	}
}
