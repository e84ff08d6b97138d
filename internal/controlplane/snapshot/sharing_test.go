package snapshot

import (
	"slices"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// newRetryingClient returns a mesh whose first client shares destinations, and has routes of its own because it retries requests.
func newRetryingClient(t *testing.T) (*permissiveMesh, *scopeNode) {
	t.Helper()
	m := newPermissiveMesh(t, "a", "a")
	m.apply(&catalog.Settings{Permissive: true, RetryPolicies: true}, &retry.Policy{
		Name: meshtest.Name("a", "retry"), Source: m.pods[0].Identity(), Destinations: []entity.Name{meshtest.Name("a", "s1")}, Settings: retry.Settings{On: "5xx", Count: 7},
	})
	n := m.scope(0)
	if n.shared == nil || n.own.contents[resourcetype.Routes]["rds-outbound.80|a/s1"] == nil {
		t.Fatal("the client does not share destinations, or has no routes of its own")
	}
	return m, n
}

// TestResourcesOfSharingScopesAreListedOnce checks the names, the resources and the versions of a scope that replaces some shared resources.
func TestResourcesOfSharingScopesAreListedOnce(t *testing.T) {
	m, _ := newRetryingClient(t)
	alone := meshtest.Pod("a", "alone", "alone", "alone", "10.0.0.9") // it has no Service, and so no routes of its own
	m.apply(alone, accountOf(alone))
	m.pods, m.streams = append(m.pods, alone), append(m.streams, m.connect(t, alone))
	for i, pod := range m.pods {
		m.checkResources(t, m.scope(i), pod.ID)
	}
}

func (m *permissiveMesh) checkResources(t *testing.T, n *scopeNode, id entity.InstanceID) {
	t.Helper()
	all, versions := map[string]int{}, n.versions()
	resources, err := m.store.Resources(id)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources {
		all[r.Type.String()+" "+r.Name]++
	}
	for kind := range resourcetype.NumTypes {
		names := slices.Sorted(n.Names(kind))
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			t.Errorf("the names of %s are %v, want each once", kind, names)
		}
		var want resource.Version
		flat := n.flatten().contents[kind]
		for name, content := range flat {
			want = want.Xor(content.Hash())
			if count := all[kind.String()+" "+name]; count != 1 || !slices.Contains(names, name) {
				t.Errorf("%s %s is listed %d times, and among the names: %t; want once", kind, name, count, slices.Contains(names, name))
			}
		}
		got, known := versions[kind]
		if known != (len(flat) > 0) || known && got != want.String() {
			t.Errorf("the version of %d resources of %s is %q, want %q", len(flat), kind, got, want)
		}
	}
	for _, name := range []string{"EDS a/s1|80", "SDS " + envoy.ServiceCertName} {
		if all[name] != 1 {
			t.Errorf("%s is listed %d times, want once", name, all[name])
		}
	}
	if !n.mu.TryLock() || !n.shared.mu.TryLock() {
		t.Fatal("a lock is held after the resources were listed")
	}
	n.shared.mu.Unlock()
	n.mu.Unlock()
}

// TestResourcesWithoutACertificate lists the resources of a sidecar before its certificate is issued.
func TestResourcesWithoutACertificate(t *testing.T) {
	m, n := newRetryingClient(t)
	n.identity.current.Store(nil)
	resources, err := m.store.Resources(m.pods[0].ID)
	if err != nil || slices.ContainsFunc(resources, func(r ConfiguredResource) bool { return r.Name == envoy.ServiceCertName }) {
		t.Errorf("the resources have a certificate, or there is the error %v", err)
	}
	if n.IsPending(resourcetype.Clusters, envoy.ServiceCertName) || !n.IsPending(resourcetype.Secrets, envoy.ServiceCertName) || n.IsPending(resourcetype.Secrets, "other") {
		t.Error("the certificate of a workload, and nothing else, must be issued later")
	}
}

// TestDestinationsOnDemandAreNotNamed checks that a client that loads destinations on demand gets none without asking, with and without shared destinations.
func TestDestinationsOnDemandAreNotNamed(t *testing.T) {
	for name, settings := range map[string]*catalog.Settings{"own destinations": {}, "shared destinations": {Permissive: true}} {
		entries, client := onDemandMesh()
		h := newSyncedHarness(append(entries, settings)...)
		n := h.connect(t, client).scope.Load()
		if c, _ := n.Content(resourcetype.Clusters, serverName); c == nil || (n.shared != nil) != settings.Permissive {
			t.Fatalf("%s: the client has no destination that it can ask for, or shares: %t", name, n.shared != nil)
		}
		if names := slices.Sorted(n.Names(resourcetype.Clusters)); slices.ContainsFunc(names, scope.IsOnDemandName) {
			t.Errorf("%s: the client has the clusters %v without asking for them", name, names)
		}
	}
}

// TestExchangedDestinationsNotifyDifferences lets a client share destinations, and use its own again. It is notified of what differs, and of nothing else.
func TestExchangedDestinationsNotifyDifferences(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	strict := false
	vault := meshtest.Pod("bank", "vault", "vault", "vault", "10.0.0.99")
	service := meshtest.Service("bank", "vault", "vault", "10.96.0.99", 80, inventory.ProtocolHTTP)
	target := meshtest.Target("t", vault.Identity(), []catalog.TargetRule{meshtest.HTTP("all")}, m.pods[0].Identity())
	m.apply(&catalog.Namespace{Name: "bank", Monitored: true, Permissive: &strict}, vault, service, meshtest.Slice(service.Name, vault), meshtest.Group("bank", "all", "/.*"))
	for _, access := range []bool{true, false} {
		takeChanges(m.streams[0])
		if access {
			m.apply(target)
		} else {
			m.remove(target)
		}
		got := takeChanges(m.streams[0])
		if isSharing := m.scope(0).shared != nil; isSharing == access {
			t.Errorf("with access to the strict Service: %t; the client shares destinations: %t", access, isSharing)
		}
		for kind, want := range map[string][]string{"CDS": {"bank/vault|80"}, "EDS": {"bank/vault|80"}, "LDS": {"outbound_bank/vault_80"}, "RDS": {"rds-outbound.80|bank/vault"}} {
			if !slices.Equal(got[kind], want) {
				t.Errorf("with access to the strict Service: %t; the client is notified of %v of %s, want %v", access, got[kind], kind, want)
			}
		}
	}
}

// TestRemovedServicesLeaveNoEndpoints removes a Service of shared destinations.
func TestRemovedServicesLeaveNoEndpoints(t *testing.T) {
	m := newPermissiveMesh(t, "a", "a")
	for _, want := range []int{2, 1} {
		if got := [2]int{len(m.store.endpoints), len(m.store.endpointsIndex.Dependencies)}; got != [2]int{want, want} {
			t.Errorf("there are endpoints of %v clusters, and in the index, want %d", got, want)
		}
		m.remove(&inventory.Service{Name: meshtest.Name("a", "s1")})
	}
}

// TestLostDestinationsLeaveNoEndpoints lets a client lose a destination, and disconnect. Endpoints that nobody uses are not kept.
func TestLostDestinationsLeaveNoEndpoints(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	stream := h.connect(t, client)
	target := entries[len(entries)-1]
	count := func() [2]int { return [2]int{len(h.store.endpoints), len(h.store.endpointsIndex.Dependencies)} }
	for _, step := range []struct {
		name string
		do   func()
		want int
	}{
		{"connected", func() {}, 1},
		{"without the permission", func() { h.remove(target) }, 0},
		{"with the permission again", func() { h.apply(target) }, 1},
		{"disconnected", func() { stream.Close(); h.run(); h.advance(idleTime) }, 0},
	} {
		if step.do(); count() != [2]int{step.want, step.want} {
			t.Errorf("%s: there are endpoints of %v clusters, and in the index, want %d", step.name, count(), step.want)
		}
	}
}
