package journeys

import (
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

func TestAccessIsWhatPoliciesGrant(t *testing.T) {
	t.Parallel()
	s := theStage(t)
	for _, c := range []struct {
		name   string
		client person
		url    string
		want   string
	}{
		{"granted path", s.friend, s.server.url("/books"), "200"},
		{"granted path of another client", s.boss, s.server.url("/admin"), "200"},
		{"path granted to another client", s.friend, s.server.url("/admin"), "403"},
		{"path granted to nobody", s.friend, s.server.url("/nowhere"), "404"},
		{"path only as a part", s.friend, s.server.url("/books/1"), "404"},
		{"without any TrafficTarget", s.stranger, s.server.url("/books"), report.Refused},
		{"with a TrafficTarget elsewhere", s.neighbour, s.server.url("/books"), report.Reset},
		{"where the TrafficTarget is", s.neighbour, s.other.url("/books"), "200"},
		{"from outside of the mesh to the inside", s.outsider, s.server.url("/books"), report.Reset},
		{"from the mesh to the outside", s.friend, s.outsider.url("/books"), report.Reset},
	} {
		t.Run(c.name, func(t *testing.T) { c.client.gets(t, c.url, c.want) })
	}
	t.Run("method that is not granted", func(t *testing.T) {
		s.friend.gets(t, s.server.url("/books"), "404", "--method", "POST")
	})
}

func TestTCPIsOpenToWhomARouteGrantsIt(t *testing.T) {
	t.Parallel()
	s := theStage(t)
	for _, c := range []struct {
		name    string
		client  person
		port    int
		args    []string
		failure string
	}{
		{"granted", s.friend, lab.EchoPort, nil, ""},
		{"granted, and the server speaks first", s.friend, lab.GreetPort, []string{"--greeted"}, ""},
		{"HTTP rules open no TCP port", s.boss, lab.EchoPort, nil, report.Reset},
		{"nor one where the server speaks first", s.boss, lab.GreetPort, []string{"--greeted"}, report.Reset},
		{"without any TrafficTarget", s.stranger, lab.EchoPort, nil, report.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := c.client.Session(t.Context(), s.server.address(c.port), c.args...)
			must(t, err)
			if result.Failure != c.failure {
				t.Errorf("the session ended with %q (%s), want %q", result.Failure, result.Error, c.failure)
			}
		})
	}
}

func TestADeletedPolicyClosesTheDoor(t *testing.T) {
	t.Parallel()
	s := theStage(t)
	policy := grant{namespace: s.server.namespace, name: "guest", destination: "server", source: s.guest.namespace + "/guest", rules: []string{"paths:guests"}}.String()
	s.guest.gets(t, s.server.url("/guests"), report.Refused)
	put(t, policy)
	s.guest.gets(t, s.server.url("/guests"), "200")
	s.friend.gets(t, s.server.url("/guests"), "403")
	remove(t, policy)
	s.guest.gets(t, s.server.url("/guests"), report.Refused)
	s.friend.gets(t, s.server.url("/guests"), "404")
}

func TestPlaintextFromOutsideIsRefused(t *testing.T) {
	t.Parallel()
	s := theStage(t)
	podV4, podV6 := s.server.ips(t)
	serviceV4, serviceV6 := s.server.clusterIPs(t)
	for name, host := range map[string]string{
		"pod IPv4": podV4, "pod IPv6": "[" + podV6 + "]", "Service IPv4": serviceV4, "Service IPv6": "[" + serviceV6 + "]",
	} {
		t.Run(name, func(t *testing.T) {
			s.outsider.gets(t, "http://"+host+":8080/books", report.Reset)
			for _, port := range []string{":9000", ":9001"} {
				result, err := s.outsider.Session(t.Context(), host+port)
				must(t, err)
				if result.Failure == "" || result.Exchanges > 0 {
					t.Errorf("a plaintext session with %s%s was let in", host, port)
				}
			}
		})
	}
}
