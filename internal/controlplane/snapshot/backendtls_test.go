package snapshot

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestSidecarsWaitForAuthorities checks that a sidecar waits after a restart of the control plane for the ConfigMap with which it encrypts requests,
// and not for ever. Without it, the sidecar would answer its requests with 503.
func TestSidecarsWaitForAuthorities(t *testing.T) {
	till := meshtest.Pod("shop", "till-1", "till", "till", "10.0.0.9")
	entries := []catalog.Entry{
		till, accountOf(till),
		&catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.Egress{
			Name: meshtest.Name("shop", "api"), Sources: []identity.ServiceAccount{meshtest.SA("shop", "till")}, Hosts: []string{"api.example.com"},
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		},
		&catalog.BackendTLSPolicy{
			Name: meshtest.Name("shop", "p"), Hostname: "api.example.com", Authorities: []string{"ca"},
			Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: "Egress", Name: "api"}},
		},
	}
	h := newSyncedHarness(entries...)
	if _, err := h.tryConnect(peerOf(till)); !errors.Is(err, ErrNotSynced) {
		t.Errorf("the sidecar connects before its authorities are read: %v", err)
	}
	h.apply(&catalog.BackendAuthorities{Name: meshtest.Name("shop", "ca"), Problem: "The ConfigMap does not exist."})
	if _, err := h.tryConnect(peerOf(till)); err != nil {
		t.Errorf("the sidecar does not connect after its authorities were read: %v", err)
	}
	late := newSyncedHarness(entries...)
	late.now = late.now.Add(secretsTimeout - 1)
	if _, err := late.tryConnect(peerOf(till)); !errors.Is(err, ErrNotSynced) {
		t.Errorf("just before the end of the wait, the error of the sidecar is %v, want ErrNotSynced", err)
	}
	late.now = late.now.Add(1)
	if _, err := late.tryConnect(peerOf(till)); err != nil {
		t.Errorf("authorities that are never read keep the sidecar out: %v", err)
	}
}

// TestRejectedBackendTLSPolicy checks that a policy whose authorities a sidecar rejects is quarantined and answers requests with 503: they must not leave the
// mesh in plaintext. It returns once its authorities are accepted.
func TestRejectedBackendTLSPolicy(t *testing.T) {
	till := meshtest.Pod("shop", "till-1", "till", "till", "10.0.0.9")
	policy := &catalog.BackendTLSPolicy{
		Name: meshtest.Name("shop", "p"), Hostname: "api.example.com", Authorities: []string{"ca"},
		Targets: []catalog.PolicyTarget{{Group: catalog.PolicyGroup, Kind: "Egress", Name: "api"}},
	}
	h := newSyncedHarness(
		till, accountOf(till), &catalog.Settings{EgressPolicies: true}, &catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.BackendAuthorities{Name: meshtest.Name("shop", "ca"), PEM: []byte("good")}, policy,
		&catalog.Egress{
			Name: meshtest.Name("shop", "api"), Sources: []identity.ServiceAccount{meshtest.SA("shop", "till")}, Hosts: []string{"api.example.com"},
			Ports: []catalog.EgressPort{{Number: 80, Protocol: inventory.ProtocolHTTP}},
		},
	)
	proxy := newFakeProxy(h, till)
	proxy.rejectIf = contains("bad")
	proxy.open(t)
	proxy.sync(t)
	const secret, encrypted, plain = "backend-authorities:shop/p", "tls:api.example.com:80", "api.example.com:80"
	check := func(when string, quarantined []string, encrypts bool) {
		t.Helper()
		if diff := cmp.Diff(quarantined, h.rejections()); diff != "" {
			t.Errorf("%s, quarantined (-want +got):\n%s", when, diff)
		}
		if got := contentOf(proxy.stream, resourcetype.Clusters, encrypted) != nil; got != encrypts {
			t.Errorf("%s, requests can be encrypted: %t, want %t", when, got, encrypts)
		}
		if contentOf(proxy.stream, resourcetype.Clusters, plain) != nil {
			t.Errorf("%s, requests leave the mesh in plaintext", when)
		}
	}
	check("with good authorities", nil, true)
	h.apply(&catalog.BackendAuthorities{Name: meshtest.Name("shop", "ca"), PEM: []byte("bad")})
	proxy.sync(t)
	check("with bad authorities", []string{`BackendTLSPolicy shop/p by shop/till-1: SDS ` + secret + ` "no"`}, false)
	h.apply(&catalog.BackendAuthorities{Name: meshtest.Name("shop", "ca"), PEM: []byte("better")})
	proxy.sync(t)
	check("after a correction", nil, true)
}

// TestServerTLSFollowsItsPolicy checks that the cluster of an authorization server follows the policy and its authorities, and that without usable ones it
// has no endpoint.
func TestServerTLSFollowsItsPolicy(t *testing.T) {
	web := meshtest.Pod("shop", "web-1", "web", "web", "10.0.0.9")
	policy := &catalog.BackendTLSPolicy{
		Name: meshtest.Name("shop", "p"), Hostname: "opa.example.com", Authorities: []string{"ca"},
		Targets: []catalog.PolicyTarget{{Group: catalog.ConfigGroup, Kind: "ExtensionService", Name: "opa"}},
	}
	h := newSyncedHarness(
		web, accountOf(web), &catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.ExtensionService{Name: meshtest.Name("shop", "opa"), Address: "192.0.2.1", Port: 9191},
		&extauthz.Policy{Name: meshtest.Name("shop", "own"), Service: meshtest.Name("shop", "opa"), Timeout: time.Second},
	)
	proxy := newFakeProxy(h, web)
	proxy.open(t)
	proxy.sync(t)
	check := func(when string, endpoint bool, authorities string) {
		t.Helper()
		proxy.sync(t)
		content := contentOf(proxy.stream, resourcetype.Clusters, "external-authorization|namespace").Encoded()
		if got := bytes.Contains(content, []byte("192.0.2.1")); got != endpoint {
			t.Errorf("%s, the cluster has the endpoint: %t, want %t", when, got, endpoint)
		}
		if got := bytes.Contains(content, []byte("UpstreamTlsContext")); got != (authorities != "") || !bytes.Contains(content, []byte(authorities)) {
			t.Errorf("%s, connections are encrypted: %t, want the authorities %q", when, got, authorities)
		}
	}
	check("without a policy", true, "")
	h.apply(policy)
	check("before its authorities are read", false, "")
	h.apply(&catalog.BackendAuthorities{Name: meshtest.Name("shop", "ca"), PEM: []byte("first authority")})
	check("with authorities", true, "first authority")
	h.apply(&catalog.BackendAuthorities{Name: meshtest.Name("shop", "ca"), PEM: []byte("second authority")})
	check("with other authorities", true, "second authority")
	h.apply(&catalog.BackendAuthorities{Name: meshtest.Name("shop", "ca"), Problem: "The ConfigMap does not exist."})
	check("without authorities", false, "")
}
