package snapshot

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/mesh/takeover/osmproxy"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const trustDomain = "mesh.test"

// fakeCertificates is a CertificateSource. Each rotation changes the certificate of a workload.
type fakeCertificates struct {
	mu         sync.Mutex
	generation string
	expiry     time.Time
	rotations  map[identity.ServiceAccount]int
	root       string
	domains    identity.TrustDomains
	// away is the error while no certificate is issued.
	away error
}

func newFakeCertificates(now time.Time) *fakeCertificates {
	return &fakeCertificates{generation: "g1", expiry: now.Add(24 * time.Hour), rotations: map[identity.ServiceAccount]int{}, root: "root 1", domains: identity.OneTrustDomain(trustDomain)}
}

func (c *fakeCertificates) Certificate(sa identity.ServiceAccount) (Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away != nil {
		return Certificate{}, c.away
	}
	text := []byte(fmt.Sprintf("%s %s %d", c.generation, sa, c.rotations[sa]))
	return Certificate{
		ChainPEM: text, KeyPEM: text, NotAfter: c.expiry.Add(time.Duration(c.rotations[sa]) * time.Hour), Generation: c.generation, TrustDomain: c.domains.Issued,
	}, nil
}

func (c *fakeCertificates) TrustDomains() identity.TrustDomains {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.domains
}

func (c *fakeCertificates) Root() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []byte(c.root)
}

func (c *fakeCertificates) rotate(sa identity.ServiceAccount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rotations[sa]++
}

// harness runs a Store on the test's goroutine, with a clock that the test advances.
type harness struct {
	store        *Store
	certificates *fakeCertificates
	now          time.Time
	// clock returns now, unless a benchmark replaces it.
	clock func() time.Time
	// timers are the functions of the Store's timers.
	timers []func()
}

// newHarness returns a harness whose Store is not synced.
func newHarness() *harness {
	h := &harness{now: time.Unix(1_800_000_000, 0)}
	h.clock = func() time.Time { return h.now }
	h.certificates = newFakeCertificates(h.now)
	h.store = NewStore(Config{
		Certificates: h.certificates, Log: logr.Discard(),
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return h.clock() },
	})
	h.store.afterFunc = func(_ time.Duration, f func()) { h.timers = append(h.timers, f) }
	return h
}

// contentOf returns a resource of a stream's scope, or nil.
func contentOf(stream *Stream, t resourcetype.Type, name string) *resource.Content {
	c, _ := stream.scope.Load().Content(t, name)
	return c
}

// scopeOf returns the scope that a node was built from, with its shared destinations.
func (h *harness) scopeOf(n *scopeNode) *scope.Scope {
	if n.shared == nil {
		return n.built
	}
	complete := withDestinations(n.built, destinationsOf(n.shared.of.current))
	complete.LoadOnDemand()
	return complete
}

// newSyncedHarness returns a harness with a mesh.
func newSyncedHarness(entries ...catalog.Entry) *harness {
	h := newHarness()
	h.store.MarkSynced()
	h.apply(entries...)
	return h
}

// run does everything that is queued, including what goroutines that request certificates are about to queue.
func (h *harness) run() {
	for {
		h.store.process(h.store.queue.take())
		requesting := false
		for _, n := range h.store.identities {
			requesting = requesting || n.requesting
		}
		if requesting {
			<-h.store.queue.wake
			continue
		}
		select {
		case <-h.store.queue.wake:
		default:
			return
		}
	}
}

// fireTimers fires all timers, whatever their delay.
func (h *harness) fireTimers() {
	timers := h.timers
	h.timers = nil
	for _, f := range timers {
		f()
	}
	h.run()
}

// apply adds or changes entries, each in its own batch.
func (h *harness) apply(entries ...catalog.Entry) {
	for _, e := range entries {
		h.store.Apply([]catalog.Change{catalog.Set(e)})
	}
	h.run()
}

// remove removes entries.
func (h *harness) remove(entries ...catalog.Entry) {
	for _, e := range entries {
		h.store.Apply([]catalog.Change{{Ref: e.Ref()}})
	}
	h.run()
}

// rotate renews the certificate of a workload.
func (h *harness) rotate(sa identity.ServiceAccount) {
	h.certificates.rotate(sa)
	h.store.CertificateRotated(sa)
	h.run()
}

// peerOf returns the claims of a valid token of a pod.
func peerOf(pod *inventory.Instance) Peer {
	return Peer{
		Pod: pod.Name, InstanceID: pod.ID, ServiceAccount: pod.Identity(),
		ServiceAccountUID: "uid-of-" + pod.ServiceAccount, Expiry: time.Unix(1<<40, 0),
	}
}

// accountOf returns the service account of a pod.
func accountOf(pod *inventory.Instance) *catalog.ServiceAccount {
	return &catalog.ServiceAccount{Name: entity.Name(pod.Identity()), UID: "uid-of-" + pod.ServiceAccount}
}

// tryConnect binds a stream, or returns why it is not bound.
func (h *harness) tryConnect(peer Peer) (*Stream, error) {
	p := &pendingStream{peer: peer, abort: func() {}, result: make(chan connectResult, 1)}
	h.store.addPending(p)
	h.run()
	select {
	case r := <-p.result:
		return r.stream, r.err
	default:
		h.store.reject(p, p.reason)
		r := <-p.result
		return r.stream, r.err
	}
}

func (h *harness) connect(t testing.TB, pod *inventory.Instance) *Stream {
	t.Helper()
	return h.connectEpoch(t, pod, 0)
}

// osmUUID is the UUID of the sidecar of Open Service Mesh in a pod.
const osmUUID = "00000000-0000-4000-8000-000000000001"

// replaceSidecar gives a pod a sidecar of Open Service Mesh.
func replaceSidecar(pod *inventory.Instance) {
	pod.Injected, pod.OSMSidecar, pod.OnDemand, pod.Revision = false, true, false, ""
	pod.Labels[names.ProxyUUIDLabel] = osmUUID
}

// peerOfOSM returns the claims of a valid certificate of a pod of replaceSidecar.
func peerOfOSM(pod *inventory.Instance) Peer {
	return Peer{
		ServiceAccount: pod.Identity(), Address: pod.IPs[0], OSMProxy: &osmproxy.Identity{UUID: osmUUID, ServiceAccount: pod.Identity()}, Expiry: time.Unix(1<<40, 0),
	}
}

// connectOSM is connect for a pod of replaceSidecar.
func (h *harness) connectOSM(t testing.TB, pod *inventory.Instance) *Stream {
	t.Helper()
	stream, err := h.tryConnect(peerOfOSM(pod))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// connectEpoch connects the Envoy of an epoch.
func (h *harness) connectEpoch(t testing.TB, pod *inventory.Instance, epoch uint64) *Stream {
	t.Helper()
	stream, err := h.tryConnect(peerOf(pod))
	if err != nil {
		t.Fatal(err)
	}
	stream.SetSoftware(status.Software{Epoch: epoch})
	h.run()
	return stream
}

// rejections formats the quarantined policies.
func (h *harness) rejections() []string {
	var list []string
	for _, r := range h.store.Rejections() {
		list = append(list, formatRejection(r))
	}
	return list
}

func formatRejection(r quarantine.Rejection) string {
	return fmt.Sprintf("%s %s by %s: %s %s %q", r.Policy.Kind, r.Policy.Name, r.Proxy, r.Type, r.Resource, r.Message)
}

// twoServices returns a mesh in which the pod a/client may call the Service a/server.
func twoServices() []catalog.Entry {
	client := meshtest.Pod("a", "client", "client", "client", "10.0.0.1")
	server := meshtest.Pod("a", "server", "server", "server", "10.0.0.2")
	service := meshtest.Service("a", "server", "server", "10.96.0.1", 80, inventory.ProtocolHTTP)
	return []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{},
		client, server, accountOf(client), accountOf(server), service, meshtest.Slice(service.Name, server),
		meshtest.Group("a", "routes", "/x"),
		meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, client.Identity()),
	}
}

// serviceRanges are those of the virtual addresses of random Services.
func serviceRanges() *catalog.ServiceCIDR {
	return &catalog.ServiceCIDR{Name: "kubernetes", Ranges: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/24")}}
}

// podsOf returns the pods of twoServices.
func podsOf(entries []catalog.Entry) (client, server *inventory.Instance) {
	return entries[2].(*inventory.Instance), entries[3].(*inventory.Instance)
}

// policyStatus is Store.Policy on the goroutine of a test that runs no Store.
func (s *Store) policyStatus(policy entity.Ref) (status.Policy, error) {
	return s.policies.Status(policy, s.config.Now(), s.countProxies)
}

// dependencies returns what a scope was built from, including its shared destinations.
func (s *Store) dependencies(n *scopeNode) []entity.Dep {
	if n.shared != nil {
		return slices.Concat(s.scopeIndex.Dependencies[n], s.shared.dependencies(n.shared.of))
	}
	return s.scopeIndex.Dependencies[n]
}
