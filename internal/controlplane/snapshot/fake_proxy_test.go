package snapshot

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/delta"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// fakeProxy is a model of an Envoy at the other end of a stream, with the messages in transit.
type fakeProxy struct {
	harness *harness
	pod     *inventory.Instance
	epoch   uint64
	// isProbed is true if the Envoy is not ready while it has the readiness cluster.
	isProbed bool
	envoy    *fakexds.Envoy
	stream   *Stream
	session  *delta.Session
	// deadline is that of the last flush.
	deadline time.Time
	// resumed is true after a stream was opened with versions of an earlier one.
	resumed bool

	toServer []*discovery.DeltaDiscoveryRequest
	toEnvoy  []*discovery.DeltaDiscoveryResponse
	// rejected are the versions that the Envoy rejects, and rejectedAlone those that it rejected as the only resource of a response.
	rejected, rejectedAlone map[string]bool
	// rejectIf reports whether it also rejects another resource; nil for never.
	rejectIf func(*discovery.Resource) bool
	lastNACK time.Time
	log      []string
}

func newFakeProxy(h *harness, pod *inventory.Instance) *fakeProxy {
	return &fakeProxy{harness: h, pod: pod, envoy: fakexds.NewEnvoy(), rejected: map[string]bool{}, rejectedAlone: map[string]bool{}}
}

// open opens a stream.
func (p *fakeProxy) open(t testing.TB) {
	p.stream = p.harness.connectEpoch(t, p.pod, p.epoch)
	options := p.stream.options()
	if p.isProbed {
		options.ReadinessCluster = p.harness.store.readinessCluster
	}
	p.session = p.stream.delta.NewSession(options)
	p.toServer, p.toEnvoy = p.envoy.Open(), nil
	p.resumed = slices.ContainsFunc(p.toServer, func(r *discovery.DeltaDiscoveryRequest) bool { return len(r.GetInitialResourceVersions()) > 0 })
	p.log = append(p.log, "open")
}

// close closes the stream. Messages in transit are lost.
func (p *fakeProxy) close() {
	p.stream.Close()
	p.harness.run()
	p.toServer, p.toEnvoy = nil, nil
	p.log = append(p.log, "close")
}

// flush sends everything that may be sent now.
func (p *fakeProxy) flush(t failer) {
	deadline, err := p.session.Flush(func(r *delta.Response) error {
		message, err := r.Proto()
		if err != nil {
			return err
		}
		p.log = append(p.log, describe(message))
		for _, res := range message.GetResources() {
			if p.rejectedAlone[versionKey(message, res)] {
				t.Fatalf("a version was sent again after it was rejected alone: %q", versionKey(message, res))
			}
			p.forgetRejected(message.GetTypeUrl(), []string{res.GetName()}) // another version was sent in between
		}
		p.forgetRejected(message.GetTypeUrl(), message.GetRemovedResources())
		p.toEnvoy = append(p.toEnvoy, message)
		return nil
	})
	if err != nil {
		t.Fatalf("flush: %v", err)
	}
	p.deadline = deadline
}

// forgetRejected allows resources to be sent again after they were removed or subscribed to again.
func (p *fakeProxy) forgetRejected(typeURL string, names []string) {
	for _, name := range names {
		for key := range p.rejectedAlone {
			if strings.HasPrefix(key, typeURL+"\x00"+name+"\x00") {
				delete(p.rejectedAlone, key)
			}
		}
	}
}

// deliverRequest delivers one request to the server.
func (p *fakeProxy) deliverRequest(t failer) bool {
	if len(p.toServer) == 0 {
		return false
	}
	req := p.toServer[0]
	p.toServer = p.toServer[1:]
	p.forgetRejected(req.GetTypeUrl(), req.GetResourceNamesSubscribe())
	if err := p.session.Handle(req); err != nil {
		t.Fatalf("request: %v", err)
	}
	p.flush(t)
	return true
}

// deliverResponse delivers one response to the Envoy, which accepts or rejects it. With reject, it rejects the last resource of the
// response from now on.
func (p *fakeProxy) deliverResponse(t failer, reject bool) bool {
	if len(p.toEnvoy) == 0 {
		return false
	}
	response := p.toEnvoy[0]
	p.toEnvoy = p.toEnvoy[1:]
	resources := response.GetResources()
	if reject && len(resources) > 0 {
		p.rejected[versionKey(response, resources[len(resources)-1])] = true
	}
	if reject && len(resources) == 0 || p.rejects(response) {
		p.lastNACK = p.harness.now
		p.toServer = append(p.toServer, p.envoy.Reject(response, "no")...)
		p.log = append(p.log, "NACK "+describe(response))
		return true
	}
	requests, err := p.envoy.Receive(response)
	if err != nil {
		t.Fatalf("response: %v", err)
	}
	p.toServer = append(p.toServer, requests...)
	return true
}

// rejects reports whether the Envoy rejects a response. It rejects the whole response, without a reason, because of one resource.
func (p *fakeProxy) rejects(response *discovery.DeltaDiscoveryResponse) bool {
	rejected := false
	for _, res := range response.GetResources() {
		key := versionKey(response, res)
		if p.rejected[key] || p.rejectIf != nil && p.rejectIf(res) {
			p.rejected[key], rejected = true, true
			if len(response.GetResources()) == 1 {
				p.rejectedAlone[key] = true
			}
		}
	}
	return rejected
}

// sync delivers all messages and advances the clock until there is nothing to send.
func (p *fakeProxy) sync(t failer) {
	for range 10_000 {
		p.harness.run() // lets the Store process NACKs
		p.flush(t)
		if p.deliverRequest(t) || p.deliverResponse(t, false) {
			continue
		}
		if p.deadline.IsZero() || p.deadline.Sub(p.harness.now) > time.Hour {
			return
		}
		if p.lastNACK.IsZero() && !p.resumed && !p.keepsEarlierClusters() && !p.stream.handover.Complete {
			t.Fatalf("the server waits though no message is in transit:\n%s", strings.Join(p.log, "\n"))
		}
		p.harness.now = p.deadline
	}
	t.Fatalf("the stream does not become idle:\n%s", strings.Join(p.log[max(len(p.log)-30, 0):], "\n"))
}

// keepsEarlierClusters reports whether the Envoy has clusters that are removed some time after the last reference to them.
func (p *fakeProxy) keepsEarlierClusters() bool {
	n := p.stream.scope.Load()
	for name := range p.envoy.Versions()[resourcetype.Clusters.URL()] {
		if _, current := n.Content(resourcetype.Clusters, name); !current && (envoy.IsDecisionServer(name) || envoy.IsOutside(name)) {
			return true
		}
	}
	return false
}

// failer is implemented by testing.T and rapid.T.
type failer interface{ Fatalf(string, ...any) }

func versionKey(r *discovery.DeltaDiscoveryResponse, res *discovery.Resource) string {
	return r.GetTypeUrl() + "\x00" + res.GetName() + "\x00" + res.GetVersion()
}

func describe(r *discovery.DeltaDiscoveryResponse) string {
	t, _ := resourcetype.ParseType(r.GetTypeUrl())
	var names []string
	for _, res := range r.GetResources() {
		names = append(names, fmt.Sprintf("%s@%.4s", res.GetName(), res.GetVersion()))
	}
	return fmt.Sprintf("%s %s: %v -%v", t, r.GetNonce(), names, r.GetRemovedResources())
}

// expectedVersions returns the versions that the client should have: all clusters and listeners, and the other resources that it
// subscribes to.
func (p *fakeProxy) expectedVersions() map[string]map[string]string {
	n := p.stream.scope.Load()
	want := map[string]map[string]string{}
	for t := range resourcetype.NumTypes {
		want[t.URL()] = map[string]string{}
		for name := range p.session.SentVersions(t) {
			if c, ok := n.Content(t, name); ok {
				want[t.URL()][name] = p.version(t, c)
			}
		}
		if t.IsWildcard() {
			for name := range n.Names(t) {
				c, _ := n.Content(t, name)
				want[t.URL()][name] = p.version(t, c)
			}
		}
	}
	if draining := p.harness.store.drainingCluster; p.session.SentVersions(resourcetype.Clusters)[draining.Name()] == draining.Hash() {
		want[resourcetype.Clusters.URL()][draining.Name()] = draining.Hash().String()
	}
	return want
}

func (p *fakeProxy) version(t resourcetype.Type, c *resource.Content) string {
	version := c.Hash()
	if t == resourcetype.Endpoints {
		version = resource.CombineVersions(version, p.session.SentVersions(resourcetype.Clusters)[c.Name()])
	}
	return resource.Versioned{Content: c, Version: version}.WireVersion()
}
