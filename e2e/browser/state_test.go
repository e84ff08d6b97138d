package browser_test

import (
	"fmt"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// at is the time of the recorded state.
var at = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// bookstore is the state of a mesh with the bookstore during an upgrade. One sidecar is behind, and one policy is not in force.
func bookstore() *page.State {
	number := func(v float64) *float64 { return &v }
	end := at.Add(20 * time.Hour)
	s := &page.State{
		At: at, Problems: []string{}, Sources: []string{"Rates are those of the last minute, from load reports of the sidecars."},
		Mesh: page.Mesh{
			Name: "osm", Namespace: "osm-system", Version: "v0.2.0", Ready: "Unknown", Reason: "Upgrading", Members: []string{"bookbuyer", "bookstore", "bookthief", "bookwarehouse", "mysql"},
			Conditions: []page.Condition{{Type: "Ready", Status: "Unknown", Reason: "Upgrading", Message: "2 of 5 sidecars are outdated"}},
		},
		Policies: []page.Policy{
			{Kind: "TrafficTarget", Namespace: "bookstore", Name: "bookstore", State: "in force", Allowed: number(5.2), Denied: number(0)},
			{Kind: "HTTPRouteGroup", Namespace: "bookstore", Name: "bookstore-service-routes", State: "in force"},
			{Kind: "TrafficSplit", Namespace: "bookstore", Name: "bookstore-split", State: "not in force", Message: "NoBackend: no backend has endpoints: requests fail with status 503"},
		},
		Certificates: []page.Certificate{
			{Kind: "root", Subject: "CN=osm-ca.openservicemesh.io", End: at.Add(87000 * time.Hour), Warning: 2592000, Holders: 5, Active: true},
			{Kind: "webhook", Subject: "Secret mutating-webhook-cert-secret", End: at.Add(2000 * time.Hour), Warning: 604800},
			{Kind: "workload", Subject: "the first is bookthief/bookthief", End: end, Warning: 600, Holders: 5},
		},
		Rollout: &page.Rollout{Phase: "Workloads", From: "v0.2.0", To: "v0.3.0", Message: "3 of 5 workloads are restarted", Total: 5, Outdated: 2},
	}
	for _, name := range s.Mesh.Members {
		s.Sidecars = append(s.Sidecars, page.Sidecar{
			Namespace: name, Pod: name + "-5c797ff5f4-tck47", ServiceAccount: name, State: "up to date", Replica: "osm-controller-6d8f-x2", Revision: "osm-v0-3-0", Envoy: "1.40.0", CertificateEnd: &end,
		})
	}
	behind := at.Add(-3 * time.Second)
	late := &s.Sidecars[2]
	late.State, late.Text, late.Behind = "behind", "waiting for the acknowledgement of CDS", &behind
	for i := range 30 {
		s.Changes = append(s.Changes, page.Change{
			At: at.Add(-time.Duration(i) * 40 * time.Second), Objects: []string{fmt.Sprintf("EndpointSlice bookstore/bookstore-%c", 'a'+rune(i%3))}, Sidecars: 4, Seconds: number(0.002 + float64(i%5)/1000),
		})
	}
	s.Nodes, s.Edges = page.Graph(loads(), page.Backing{
		"bookstore/bookstore": {"bookstore/bookstore"}, "bookwarehouse/bookwarehouse": {"bookwarehouse/bookwarehouse"}, "mysql/mysql": {"mysql/mysql"},
	}, s.Sidecars, true)
	for i := range s.Edges {
		if s.Edges[i].Success != nil {
			s.Edges[i].P99 = number(4.2)
		}
	}
	return s
}

func loads() []report.Load {
	load := func(client, cluster string, rate float64, succeeded, failed uint64) report.Load {
		return report.Load{Client: client, Cluster: cluster, Rate: rate, LoadCounts: report.LoadCounts{Succeeded: succeeded, Failed: failed}}
	}
	return []report.Load{
		load("bookbuyer/bookbuyer", "bookstore/bookstore|14001", 5.2, 312, 0),
		load("bookthief/bookthief", "bookstore/bookstore|14001", 2.1, 118, 8),
		load("bookstore/bookstore", "bookwarehouse/bookwarehouse|14001", 1.2, 70, 2),
		load("bookwarehouse/bookwarehouse", "mysql/mysql|3306", 0.4, 0, 0),
		load("bookstore/bookstore", "api.example.com_443", 0.2, 0, 0),
	}
}
