package snapshot

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

const trustDomain = "mesh.test"

// certificates issues texts that look like nothing, and new ones after a rotation.
type certificates struct {
	mu         sync.Mutex
	generation string
	expiry     time.Time
	serial     map[identity.ServiceAccount]int
	root       string
	fail       error
}

func newCertificates(now time.Time) *certificates {
	return &certificates{generation: "g1", expiry: now.Add(24 * time.Hour), serial: map[identity.ServiceAccount]int{}, root: "root 1"}
}

func (c *certificates) Certificate(sa identity.ServiceAccount) (Leaf, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := []byte(fmt.Sprintf("%s %s %d", c.generation, sa, c.serial[sa]))
	return Leaf{ChainPEM: text, KeyPEM: text, NotAfter: c.expiry.Add(time.Duration(c.serial[sa]) * time.Hour), Generation: c.generation}, c.fail
}

func (c *certificates) Root() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []byte(c.root)
}

func (c *certificates) rotate(sa identity.ServiceAccount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial[sa]++
}

// bench is a Store whose goroutine is the test's, and whose clock stands still until it is moved.
type bench struct {
	store        *Store
	certificates *certificates
	now          time.Time
}

func newBench() *bench {
	b := &bench{now: time.Unix(1_800_000_000, 0)}
	b.certificates = newCertificates(b.now)
	b.store = NewStore(Config{
		TrustDomain: trustDomain, Certificates: b.certificates, Log: logr.Discard(),
		Metrics: prometheus.NewRegistry(), Now: func() time.Time { return b.now },
	})
	return b
}

// run does everything that is queued, including what goroutines that issue certificates are about to queue.
func (b *bench) run() {
	for {
		b.store.work(b.store.queue.take())
		issuing := false
		for _, n := range b.store.identities {
			issuing = issuing || n.issuing
		}
		if issuing {
			<-b.store.queue.wake
			continue
		}
		select {
		case <-b.store.queue.wake:
		default:
			return
		}
	}
}

// apply makes entries part of the mesh.
func (b *bench) apply(entries ...catalog.Entry) {
	for _, e := range entries {
		b.store.Apply([]catalog.Change{catalog.Set(e)})
	}
	b.run()
}

// remove takes entries out of the mesh.
func (b *bench) remove(entries ...catalog.Entry) {
	for _, e := range entries {
		b.store.Apply([]catalog.Change{{Ref: e.Ref()}})
	}
	b.run()
}

// peerOf is what a good token of a pod says.
func peerOf(pod *catalog.Pod) Peer {
	return Peer{
		Pod: pod.Name, PodUID: pod.UID, ServiceAccount: pod.Identity(),
		ServiceAccountUID: "uid-of-" + pod.ServiceAccount, Expiry: time.Unix(1<<40, 0),
	}
}

// accountOf is the live service account of a pod.
func accountOf(pod *catalog.Pod) *catalog.ServiceAccount {
	return &catalog.ServiceAccount{Name: catalog.Name(pod.Identity()), UID: "uid-of-" + pod.ServiceAccount}
}

// connect binds a pod's sidecar, or says why not.
func (b *bench) connect(peer Peer) (*Stream, error) {
	j := &join{peer: peer, abort: func() {}, result: make(chan joined, 1)}
	b.store.enter(j)
	b.run()
	select {
	case r := <-j.result:
		return r.stream, r.err
	default:
		b.store.refuse(j, j.reason)
		r := <-j.result
		return r.stream, r.err
	}
}

func (b *bench) mustConnect(t testing.TB, pod *catalog.Pod) *Stream {
	t.Helper()
	stream, err := b.connect(peerOf(pod))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// twoServices is a mesh in which the pod a/client may call the Service a/server.
func twoServices() []catalog.Entry {
	client := meshtest.Pod("a", "client", "client", "client", "10.0.0.1")
	server := meshtest.Pod("a", "server", "server", "server", "10.0.0.2")
	service := meshtest.Service("a", "server", "server", "10.96.0.1", 80, catalog.ProtocolHTTP)
	return []catalog.Entry{
		&catalog.Namespace{Name: "a", Monitored: true}, &catalog.Settings{},
		client, server, accountOf(client), accountOf(server), service, meshtest.Slice(service.Name, server),
		meshtest.Group("a", "routes", "/x"),
		meshtest.Target("t", server.Identity(), []catalog.TargetRule{meshtest.HTTP("routes")}, client.Identity()),
	}
}

func pods(entries []catalog.Entry) (client, server *catalog.Pod) {
	return entries[2].(*catalog.Pod), entries[3].(*catalog.Pod)
}
