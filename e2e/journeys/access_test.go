package journeys

import (
	"net"
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

func TestHTTPAccessFollowsPolicies(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	for _, c := range []struct {
		name   string
		client workload
		url    string
		want   string
	}{
		{"granted path", s.friend, s.server.url("/books"), "200"},
		{"granted path of another client", s.boss, s.server.url("/admin"), "200"},
		{"path granted to another client", s.friend, s.server.url("/admin"), "403"},
		{"path granted to no client", s.friend, s.server.url("/nowhere"), "404"},
		{"path with a granted prefix", s.friend, s.server.url("/books/1"), "404"},
		{"client without any TrafficTarget", s.stranger, s.server.url("/books"), report.Reset},
		{"client with a TrafficTarget for another server", s.neighbour, s.server.url("/books"), report.Reset},
		{"client with a TrafficTarget for this server", s.neighbour, s.other.url("/books"), "200"},
		{"client outside of the mesh", s.outsider, s.server.url("/books"), report.Reset},
		{"server outside of the mesh", s.friend, s.outsider.url("/books"), report.Reset},
	} {
		t.Run(c.name, func(t *testing.T) { c.client.expect(t, c.url, c.want) })
	}
	t.Run("method without a grant", func(t *testing.T) {
		s.friend.expect(t, s.server.url("/books"), "404", "--method", "POST")
	})
}

func TestTCPAccessFollowsRoutes(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	for _, c := range []struct {
		name    string
		client  workload
		port    int
		args    []string
		failure string
	}{
		{"granted", s.friend, lab.EchoPort, nil, ""},
		{"granted on a server-first port", s.friend, lab.GreetPort, []string{"--greeted"}, ""},
		{"HTTP rules do not open TCP ports", s.boss, lab.EchoPort, nil, report.Reset},
		{"HTTP rules do not open server-first ports", s.boss, lab.GreetPort, []string{"--greeted"}, report.Reset},
		{"client without any TrafficTarget", s.stranger, lab.EchoPort, nil, report.Reset},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := c.client.Session(t.Context(), s.server.address(c.port), c.args...)
			lab.Must(t, err)
			if result.Failure != c.failure {
				t.Errorf("the session ended with %q (%s), want %q", result.Failure, result.Error, c.failure)
			}
		})
	}
}

func TestDeletedPolicyRevokesAccess(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	policy := grant{namespace: s.server.namespace, name: "guest", destination: "server", source: s.guest.namespace + "/guest", rules: []string{"paths:guests"}}.String()
	s.guest.expect(t, s.server.url("/guests"), report.Reset)
	applyPolicies(t, policy)
	s.guest.expect(t, s.server.url("/guests"), "200")
	s.friend.expect(t, s.server.url("/guests"), "403")
	deletePolicies(t, policy)
	s.guest.expect(t, s.server.url("/guests"), report.Reset)
	s.friend.expect(t, s.server.url("/guests"), "404")
}

func TestPlaintextFromOutsideIsRejected(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	for _, host := range slices.Concat(s.server.ips(t), s.server.clusterIPs(t)) {
		t.Run(host, func(t *testing.T) {
			s.outsider.expect(t, "http://"+net.JoinHostPort(host, "8080")+"/books", report.Reset)
			for _, port := range []string{"9000", "9001"} {
				result, err := s.outsider.Session(t.Context(), net.JoinHostPort(host, port))
				lab.Must(t, err)
				if result.Failure == "" || result.Exchanges > 0 {
					t.Errorf("a plaintext session with port %s of %s was accepted", port, host)
				}
			}
		})
	}
}
