package pods_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// An idle sidecar does not repeat its queries whenever the answer, which lives for a second, has ended.
func TestIdleSidecarRarelyAsksDNS(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.configure(t, false, httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true}))
	eventually.True(t, 10*time.Second, "the host is resolved", func() bool {
		status, _ := a.request(t, a.other.IP, "api.example.com", "/")
		return status == http.StatusOK
	})
	time.Sleep(5 * time.Second)
	// One query for each address family.
	if got := a.dns.Queries()["api.example.com"]; got != 2 {
		t.Errorf("the host was queried %d times within seconds, want 2", got)
	}
}

// A host whose name servers do not answer delays neither the configuration nor requests to other hosts.
func TestSilentNameServerDelaysNothing(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	a.dns.Silence("mute.example.com")
	a.configure(t, false, httpTo(authz.EgressHost{Host: "api.example.com", HTTP: true}, authz.EgressHost{Host: "mute.example.com", HTTP: true}))
	eventually.True(t, 10*time.Second, "the other host is resolved", func() bool {
		status, _ := a.request(t, a.other.IP, "api.example.com", "/")
		return status == http.StatusOK
	})
	// The resolver tries several times before it gives up. The sidecar served requests before that.
	if got := a.dns.Queries()["mute.example.com"]; got == 0 || got > 4 {
		t.Errorf("the host without an answer was queried %d times, want the first tries only", got)
	}
}

// A server that is a Service of the cluster is reached without DNS.
func TestServiceIsReachedWithoutDNS(t *testing.T) {
	t.Parallel()
	a := newAbroad(t)
	const host = "api.servers.svc.cluster.local"
	a.client.Configure(t, &scope.Scope{
		Common: scope.Common{
			Key: scope.Key{Identity: buyer, Class: scope.Class{IPv6: true}}, TrustDomain: trustDomain,
			ServerIPs: map[string]netip.Addr{host: a.named.IP},
		},
		Sidecar: scope.Sidecar{EgressPorts: []authz.EgressPort{httpTo(authz.EgressHost{Host: host, HTTP: true})}},
	})
	if status, body := a.request(t, a.other.IP, host, "/"); status != http.StatusOK || body != "named "+host {
		t.Errorf("the Service answers %d, %q", status, body)
	}
	if got := a.dns.Queries(); len(got) > 0 {
		t.Errorf("the name server was queried: %v", got)
	}
}
