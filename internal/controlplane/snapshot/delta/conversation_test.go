package delta

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// fakeSnapshot is a Snapshot that a test edits.
type fakeSnapshot struct {
	contents [resourcetype.NumTypes]map[string]*resource.Content
	pending  string
	// isEager is true for clients that ask for no destinations.
	isEager bool
}

func newFakeSnapshot() *fakeSnapshot {
	s := &fakeSnapshot{}
	for t := range s.contents {
		s.contents[t] = map[string]*resource.Content{}
	}
	return s
}

func (s *fakeSnapshot) Content(t resourcetype.Type, name string) (*resource.Content, bool) {
	c, ok := s.contents[t][name]
	return c, ok
}

func (s *fakeSnapshot) Names(t resourcetype.Type) iter.Seq[string] { return maps.Keys(s.contents[t]) }

func (s *fakeSnapshot) IsPending(t resourcetype.Type, name string) bool {
	return t == resourcetype.Secrets && name == s.pending
}

func (s *fakeSnapshot) Base(resourcetype.Type) *Base { return nil }

func (s *fakeSnapshot) HasEndpoints(cluster string) bool {
	return s.contents[resourcetype.Endpoints][cluster] != nil
}

func (s *fakeSnapshot) Destinations() iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range s.contents[resourcetype.Endpoints] {
			if scope.IsOnDemandName(name) && !yield(name) {
				return
			}
		}
	}
}

func (s *fakeSnapshot) LoadsOnDemand() bool { return !s.isEager }

// bindingListener is the name of the listener that binds a port; put makes no other listener bind one.
const bindingListener = "port"

// conversation is a conversation between a sequencer and a client that a test drives step by step.
type conversation struct {
	t        *testing.T
	q        *sequencer
	snapshot *fakeSnapshot
	now      time.Time
}

func newConversation(t *testing.T) *conversation {
	return &conversation{t: t, q: &sequencer{}, snapshot: newFakeSnapshot(), now: time.Unix(1_800_000_000, 0)}
}

// put adds or changes a resource. Different texts result in different versions.
func (c *conversation) put(t resourcetype.Type, name, text string) {
	c.t.Helper()
	c.set(t, name, text, "")
}

func (c *conversation) set(t resourcetype.Type, name, text, wireVersion string) {
	c.t.Helper()
	var m proto.Message
	switch t {
	case resourcetype.Clusters:
		m = &cluster.Cluster{Name: name, AltStatName: text}
	case resourcetype.Endpoints:
		m = &endpoint.ClusterLoadAssignment{ClusterName: name, NamedEndpoints: map[string]*endpoint.Endpoint{text: {}}}
	case resourcetype.Listeners:
		m = &listener.Listener{Name: name, StatPrefix: text, BindToPort: wrapperspb.Bool(name == bindingListener)}
	case resourcetype.Routes:
		m = &route.RouteConfiguration{Name: name, InternalOnlyHeaders: []string{text}}
	default:
		m = &tlsv3.Secret{Name: name + text}
	}
	content, err := resource.NewWithVersion(envoy.Resource{TypeURL: t.URL(), Name: name, Message: m}, wireVersion)
	if err != nil {
		c.t.Fatal(err)
	}
	c.snapshot.contents[t][name] = content
	c.q.markChanged(t, []string{name}, c.now)
}

func (c *conversation) remove(t resourcetype.Type, name string) {
	delete(c.snapshot.contents[t], name)
	c.q.markChanged(t, []string{name}, c.now)
}

// subscribe requests names, or all resources without names.
func (c *conversation) subscribe(t resourcetype.Type, names ...string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names})
}

// unsubscribe ends the subscription to a name.
func (c *conversation) unsubscribe(t resourcetype.Type, name string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesUnsubscribe: []string{name}})
}

func (c *conversation) send(req *discovery.DeltaDiscoveryRequest) {
	c.t.Helper()
	if _, err := c.q.handleRequest(req, c.snapshot, c.now); err != nil {
		c.t.Fatal(err)
	}
}

// ack accepts the response in flight.
func (c *conversation) ack(t resourcetype.Type) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResponseNonce: c.q.types[t].inFlight})
}

// nack rejects the response in flight.
func (c *conversation) nack(t resourcetype.Type, message string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: t.URL(), ResponseNonce: c.q.types[t].inFlight, ErrorDetail: &rpc.Status{Message: message},
	})
}

// expect asserts what is sent now: "CDS a b -c" is a response with resources a and b that removes c.
func (c *conversation) expect(want ...string) {
	c.t.Helper()
	var got []string
	for r := c.q.next(c.snapshot, c.now); r != nil; r = c.q.next(c.snapshot, c.now) {
		words := []string{r.Type.String()}
		for _, res := range r.Resources {
			words = append(words, res.Name())
		}
		for _, name := range r.Removed {
			words = append(words, "-"+name)
		}
		got = append(got, strings.Join(words, " "))
	}
	if !slices.Equal(got, want) {
		c.t.Fatalf("sent %q, want %q", got, want)
	}
}

func (c *conversation) wait(d time.Duration) { c.now = c.now.Add(d) }
