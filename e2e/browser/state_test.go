package browser_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// at is the time of the recorded state.
var at = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// bookstore is the state of a mesh with the bookstore during an upgrade. One sidecar is behind, and one policy is not in force.
func bookstore() *page.State {
	number := func(v float64) *float64 { return &v }
	end := at.Add(20 * time.Hour)
	s := &page.State{
		At: at, Problems: []string{}, Sources: []string{"Rates of the last minute from load reports, latencies of requests in access logs."},
		Mesh: page.Mesh{
			Name: "osm", Namespace: "osm-system", Version: "v0.2.0", Ready: "Unknown", Reason: "Upgrading", Members: []string{"bookbuyer", "bookstore", "bookthief", "bookwarehouse", "mysql"},
			Settings:   &page.Settings{},
			Conditions: []page.Condition{{Type: "Ready", Status: "Unknown", Reason: "Upgrading", Message: "2 of 5 sidecars are outdated"}},
		},
		Policies: []page.Policy{
			{Kind: "TrafficTarget", Namespace: "bookstore", Name: "bookstore", State: "in force", Allowed: number(5.2), Denied: number(1)},
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
	for _, name := range []string{"bookbuyer", "bookstore-v1", "bookstore-v2", "bookthief", "bookwarehouse", "mysql"} {
		s.Sidecars = append(s.Sidecars, page.Sidecar{
			Namespace: strings.Split(name, "-")[0], Pod: name + "-5c797ff5f4-tck47", ServiceAccount: name, State: "up to date", Replica: "osm-controller-699cb4b687-hvb2h", Revision: "osm-v0-3-0", Envoy: "1.40.0", CertificateEnd: &end,
		})
	}
	behind := at.Add(-3 * time.Second)
	late := &s.Sidecars[3]
	late.State, late.Text, late.Behind = "behind", "waiting for the acknowledgement of CDS", &behind
	for i := range 30 {
		s.Changes = append(s.Changes, page.Change{
			At: at.Add(-time.Duration(i) * 40 * time.Second), Objects: []string{fmt.Sprintf("EndpointSlice bookstore/bookstore-%c", 'a'+rune(i%3))},
			Sidecars: 4, Acknowledged: 4, Seconds: number(0.002 + float64(i%5)/1000),
		})
	}
	s.Changes = append(s.Changes,
		page.Change{At: at.Add(-2 * time.Minute), Objects: []string{"TrafficSplit bookstore/bookstore-split"}, Policy: true, Sidecars: 3, Acknowledged: 2, Open: 1},
		page.Change{At: at.Add(-5 * time.Minute), Objects: []string{"TrafficTarget bookstore/bookstore"}, Policy: true, Sidecars: 2, Acknowledged: 2, Seconds: number(0.012)},
	)
	s.Denials = []report.Denial{{
		Client: "bookthief/bookthief", ClientWorkload: "deployment/bookthief", Service: "bookstore/bookstore", Address: "10.96.12.40:14001", Side: report.AtClient,
		Reason: "no TrafficTarget has the source bookthief/bookthief", Count: 3600, Rate: 1, Since: at.Add(-time.Hour), Last: at,
	}}
	s.Nodes, s.Edges = page.Graph(page.Traffic{Loads: loads(), Denials: s.Denials, Sidecars: s.Sidecars, Idle: true, At: at, Backing: page.Backing{
		"bookstore/bookstore": {"bookstore/bookstore-v1", "bookstore/bookstore-v2"}, "bookstore/bookstore-v1": {"bookstore/bookstore-v1"}, "bookstore/bookstore-v2": {"bookstore/bookstore-v2"},
		"bookwarehouse/bookwarehouse": {"bookwarehouse/bookwarehouse"}, "mysql/mysql": {"mysql/mysql"},
	}})
	for i := range s.Edges {
		if s.Edges[i].Success != nil {
			s.Edges[i].P50, s.Edges[i].P99 = number(1.5), number(4.2)
		}
	}
	return s
}

// requests are the requests of every edge of the bookstore, and of every trace: one from the bookbuyer through three workloads.
func requests() *page.Requests {
	logged := func(after time.Duration, account, direction, peer, method, path string, milliseconds float64) page.Request {
		namespace, name, _ := strings.Cut(account, "/")
		return page.Request{Account: account, Event: tap.Event{
			Time: at.Add(after), Namespace: namespace, Pod: name + "-5c797ff5f4-tck47", Direction: direction, Peer: peer, Method: method, Path: path, Status: 200,
			RequestID: "382c2bd2-c2fb-4039-afc5-8eb3492b5083", Milliseconds: milliseconds,
		}}
	}
	return &page.Requests{Notes: []string{"Some are not logged."}, Requests: []page.Request{
		logged(0, "bookbuyer/bookbuyer", tap.Outbound, "bookstore/bookstore-v1|14001", "GET", "/buy-a-book/new", 9),
		logged(time.Millisecond, "bookstore/bookstore-v1", tap.Inbound, "bookbuyer/bookbuyer", "GET", "/buy-a-book/new", 8),
		logged(2*time.Millisecond, "bookstore/bookstore-v1", tap.Outbound, "bookwarehouse/bookwarehouse|14001", "POST", "/restock-books", 5),
		logged(3*time.Millisecond, "bookwarehouse/bookwarehouse", tap.Inbound, "bookstore/bookstore-v1", "POST", "/restock-books", 4),
	}}
}

func loads() []report.Load {
	load := func(client, cluster string, rate float64, succeeded, failed uint64) report.Load {
		return report.Load{Client: client, Cluster: cluster, Rate: rate, LoadCounts: report.LoadCounts{Succeeded: succeeded, Failed: failed}}
	}
	return []report.Load{
		load("bookbuyer/bookbuyer", "bookstore/bookstore-v1|14001", 5.2, 312, 0),
		load("bookbuyer/bookbuyer", "bookstore/bookstore-v2|14001", 1.7, 94, 8),
		load("bookstore/bookstore-v1", "bookwarehouse/bookwarehouse|14001", 1.2, 70, 2),
		load("bookstore/bookstore-v2", "bookwarehouse/bookwarehouse|14001", 0.4, 24, 0),
		load("bookstore/bookstore-v1", "mysql/mysql|3306", 0, 0, 0),
		load("bookwarehouse/bookwarehouse", "mysql/mysql|3306", 0.4, 0, 0),
		load("bookstore/bookstore-v1", "egress-tls.e93a6c268760698ed1529cc628440b64.payments.example.com:443", 0.2, 0, 0),
	}
}
