package snapshot

import (
	"fmt"
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

	"github.com/openservicemesh/osm-operator/internal/envoy"
)

// shelf is an offer made by hand.
type shelf struct {
	contents [numTypes]map[string]*content
	waiting  string
}

func newShelf() *shelf {
	s := &shelf{}
	for t := range s.contents {
		s.contents[t] = map[string]*content{}
	}
	return s
}

func (s *shelf) content(t Type, name string) (*content, bool) {
	c, ok := s.contents[t][name]
	return c, ok
}
func (s *shelf) names(t Type) iter.Seq[string]    { return maps.Keys(s.contents[t]) }
func (s *shelf) pending(t Type, name string) bool { return t == Secrets && name == s.waiting }
func (s *shelf) hasEndpoints(cluster string) bool { return s.contents[Endpoints][cluster] != nil }

// talk is a conversation between a sequencer and a client that a test plays line by line.
type talk struct {
	t     *testing.T
	q     *sequencer
	shelf *shelf
	now   time.Time
}

func newTalk(t *testing.T) *talk {
	return &talk{t: t, q: newSequencer(), shelf: newShelf(), now: time.Unix(1_800_000_000, 0)}
}

// put offers a resource; text makes versions differ.
func (k *talk) put(t Type, name, text string) {
	var m proto.Message
	switch t {
	case Clusters:
		m = &cluster.Cluster{Name: name, AltStatName: text}
	case Endpoints:
		m = &endpoint.ClusterLoadAssignment{ClusterName: name, NamedEndpoints: map[string]*endpoint.Endpoint{text: {}}}
	case Listeners:
		m = &listener.Listener{Name: name, StatPrefix: text, BindToPort: wrapperspb.Bool(name == "door")}
	case Routes:
		m = &route.RouteConfiguration{Name: name, InternalOnlyHeaders: []string{text}}
	default:
		m = &tlsv3.Secret{Name: name + text}
	}
	c, err := newContent(envoy.Resource{TypeURL: t.URL(), Name: name, Message: m})
	if err != nil {
		k.t.Fatal(err)
	}
	k.shelf.contents[t][name] = c
	k.q.mark(t, []string{name}, k.now)
}

func (k *talk) drop(t Type, name string) {
	delete(k.shelf.contents[t], name)
	k.q.mark(t, []string{name}, k.now)
}

func (k *talk) certificate(version string) {
	const name = "service-cert:a/b"
	k.put(Secrets, name, version)
	k.shelf.contents[Secrets][name].label = version
}

// ask is a request for names; none is the wildcard.
func (k *talk) ask(t Type, names ...string) {
	k.t.Helper()
	k.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names})
}

func (k *talk) send(req *discovery.DeltaDiscoveryRequest) {
	k.t.Helper()
	if _, err := k.q.request(req, k.shelf, k.now); err != nil {
		k.t.Fatal(err)
	}
}

// ack accepts the response in flight.
func (k *talk) ack(t Type) {
	k.t.Helper()
	k.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResponseNonce: k.q.types[t].inflight})
}

func (k *talk) nack(t Type, why string) {
	k.t.Helper()
	k.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: t.URL(), ResponseNonce: k.q.types[t].inflight, ErrorDetail: &rpc.Status{Message: why},
	})
}

// expect asserts what is sent now: "CDS a b -c" is a response with resources a and b that removes c.
func (k *talk) expect(want ...string) {
	k.t.Helper()
	var got []string
	for r := k.q.next(k.shelf, k.now); r != nil; r = k.q.next(k.shelf, k.now) {
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
		k.t.Fatalf("sent %q, want %q", got, want)
	}
}

func (k *talk) wait(d time.Duration) { k.now = k.now.Add(d) }

func TestEmptyWildcardIsAnsweredAtOnce(t *testing.T) {
	k := newTalk(t)
	k.ask(Clusters)
	k.expect("CDS")
	k.ack(Clusters)
	k.expect()
	k.ask(Listeners, "*")
	k.expect("LDS")
}

func TestListenersWaitForClustersAndEndpoints(t *testing.T) {
	k := newTalk(t)
	k.ask(Clusters)
	k.ask(Listeners)
	k.expect("CDS")
	k.ack(Clusters)
	k.expect("LDS")
	k.ack(Listeners)
	k.put(Listeners, "l", "1")
	k.put(Clusters, "c", "1")
	k.put(Endpoints, "c", "1")
	k.expect("CDS c")
	k.ack(Clusters)
	k.expect()
	k.ask(Endpoints, "c")
	k.expect("EDS c")
	k.ack(Endpoints)
	k.expect("LDS l")
}

// A listener that comes back while its predecessor drains finds the predecessor's routes.
func TestListenersWaitForRoutesThatAreAskedFor(t *testing.T) {
	k := newTalk(t)
	k.put(Listeners, "l", "1")
	k.put(Routes, "r", "1")
	k.ask(Listeners)
	k.expect("LDS l")
	k.ack(Listeners)
	k.ask(Routes, "r")
	k.expect("RDS r")
	k.ack(Routes)
	k.drop(Listeners, "l")
	k.drop(Routes, "r")
	k.expect("LDS -l")
	k.ack(Listeners)
	k.expect("RDS -r")
	k.put(Listeners, "l", "1")
	k.put(Routes, "r", "2")
	k.expect()
	k.ack(Routes)
	k.expect("RDS r", "LDS l")
}

// What listeners leave behind is for the door that hands connections to them, so it must know first what to do with those.
func TestADoorChangesBeforeItsListenersGo(t *testing.T) {
	k := newTalk(t)
	k.ask(Listeners)
	for _, name := range []string{"a", "b", "door"} {
		k.put(Listeners, name, "1")
	}
	k.expect("LDS a b door")
	k.ack(Listeners)
	k.put(Listeners, "door", "2")
	k.drop(Listeners, "a")
	k.expect("LDS door")
	k.ack(Listeners)
	k.expect("LDS -a")
	k.ack(Listeners)
	// A listener whose place another one takes goes together with the coming of that.
	k.put(Listeners, "door", "3")
	k.put(Listeners, "c", "1")
	k.drop(Listeners, "b")
	k.expect("LDS c door -b")
}

func TestPatienceEnds(t *testing.T) {
	k := newTalk(t)
	k.ask(Clusters)
	k.ask(Listeners)
	k.expect("CDS")
	k.ack(Clusters)
	k.expect("LDS")
	k.ack(Listeners)
	k.put(Clusters, "c", "1")
	k.put(Endpoints, "c", "1")
	k.put(Listeners, "l", "1")
	k.expect("CDS c")
	if got, want := k.q.deadline(), k.now.Add(patience); !got.Equal(want) {
		t.Errorf("deadline %s, want %s", got, want)
	}
	k.wait(patience)
	k.expect("LDS l")
	if got := k.q.deadline(); !got.IsZero() {
		t.Errorf("a deadline %s is left", got)
	}
}

func TestClusterIsRemovedAfterItsListener(t *testing.T) {
	k := newTalk(t)
	k.put(Clusters, "c", "1")
	k.put(Listeners, "l", "1")
	k.ask(Clusters)
	k.expect("CDS c")
	k.ack(Clusters)
	k.ask(Listeners)
	k.expect("LDS l")
	k.drop(Clusters, "c")
	k.drop(Listeners, "l")
	k.expect()
	k.ack(Listeners)
	k.expect("LDS -l")
	k.wait(time.Second)
	k.ack(Listeners)
	k.expect("CDS -c")
}

func TestRejectedListenerDelaysTheRemoval(t *testing.T) {
	k := newTalk(t)
	k.put(Clusters, "c", "1")
	k.put(Listeners, "l", "1")
	k.ask(Clusters)
	k.ask(Listeners)
	k.expect("CDS c")
	k.ack(Clusters)
	k.expect("LDS l")
	k.ack(Listeners)
	k.put(Listeners, "l", "2")
	k.drop(Clusters, "c")
	k.expect("LDS l")
	k.nack(Listeners, "no")
	k.expect()
	k.wait(patience)
	k.expect("CDS -c")
}

func TestThreat51RejectedVersionIsNotSentAgain(t *testing.T) {
	k := newTalk(t)
	k.put(Listeners, "l", "1")
	k.ask(Listeners)
	k.expect("LDS l")
	verdict, err := k.q.request(&discovery.DeltaDiscoveryRequest{
		TypeUrl: Listeners.URL(), ResponseNonce: "1", ErrorDetail: &rpc.Status{Message: "bad filter"},
	}, k.shelf, k.now)
	if err != nil || !verdict.Answers || verdict.Rejection != "bad filter" {
		t.Errorf("verdict %+v, error %v", verdict, err)
	}
	k.q.markAll(k.shelf, k.now)
	k.expect()
	k.put(Listeners, "l", "2")
	k.expect("LDS l")
}

func TestChangesDuringFlightAreMerged(t *testing.T) {
	k := newTalk(t)
	k.put(Endpoints, "a", "1")
	k.put(Endpoints, "b", "1")
	k.ask(Endpoints, "a", "b")
	k.expect("EDS a b")
	for i := range 5 {
		k.put(Endpoints, "a", fmt.Sprint("x", i))
	}
	k.put(Endpoints, "b", "2")
	k.put(Endpoints, "b", "1")
	k.expect()
	k.ack(Endpoints)
	k.expect("EDS a")
}

// TestChangedClusterBringsItsEndpoints is about Envoy: it holds a changed cluster back until endpoints arrive, even the same.
func TestChangedClusterBringsItsEndpoints(t *testing.T) {
	k := newTalk(t)
	k.put(Clusters, "c", "1")
	k.put(Endpoints, "c", "1")
	k.ask(Clusters)
	k.expect("CDS c")
	k.ack(Clusters)
	k.ask(Endpoints, "c")
	k.expect("EDS c")
	k.ack(Endpoints)
	k.put(Clusters, "c", "2")
	k.expect("CDS c", "EDS c")
}

func TestUnknownNamesAreAnswered(t *testing.T) {
	k := newTalk(t)
	k.ask(Endpoints, "x")
	k.expect("EDS -x")
	k.ask(Secrets, "x")
	k.expect("SDS -x")
	k.ack(Secrets)
	k.ask(Extensions, "x")
	k.expect("ECDS -x")
	k.ask(Routes, "x")
	k.expect("RDS x") // an empty one: Envoy would wait for it for ever
	k.ack(Routes)
	k.put(Routes, "x", "1")
	k.expect("RDS x")
	k.ack(Endpoints)
	k.put(Endpoints, "x", "1")
	k.expect("EDS x")
}

func TestSubscribedAgainIsSentAgain(t *testing.T) {
	k := newTalk(t)
	k.put(Routes, "r", "1")
	k.ask(Routes, "r")
	k.expect("RDS r")
	k.ack(Routes)
	k.ask(Routes, "r")
	k.expect("RDS r")
	k.ack(Routes)
	k.send(&discovery.DeltaDiscoveryRequest{TypeUrl: Routes.URL(), ResourceNamesUnsubscribe: []string{"r"}})
	k.put(Routes, "r", "2")
	k.expect()
	k.ask(Routes, "r")
	k.expect("RDS r")
}

func TestThreat50ReconnectBringsOnlyDifferences(t *testing.T) {
	k := newTalk(t)
	for _, name := range []string{"same", "changed"} {
		k.put(Clusters, name, "1")
		k.put(Endpoints, name, "1")
	}
	k.ask(Clusters)
	k.ask(Endpoints, "same", "changed")
	k.expect("CDS changed same", "EDS changed same")
	versions := func(t Type) map[string]string {
		held := map[string]string{}
		for name, v := range k.q.types[t].held {
			held[name] = formatVersion(v)
		}
		return held
	}
	clusters, endpoints := versions(Clusters), versions(Endpoints)
	clusters["gone"] = "abc"

	k.q = newSequencer()
	k.put(Clusters, "changed", "2")
	k.send(&discovery.DeltaDiscoveryRequest{TypeUrl: Clusters.URL(), InitialResourceVersions: clusters})
	k.expect("CDS changed")
	k.send(&discovery.DeltaDiscoveryRequest{
		TypeUrl: Endpoints.URL(), InitialResourceVersions: endpoints, ResourceNamesSubscribe: []string{"same", "changed"},
	})
	k.expect("EDS changed")
	k.ack(Clusters)
	k.ack(Endpoints)
	k.expect() // the removal waits until the listeners are known
	k.wait(patience)
	k.expect("CDS -gone")
}

func TestCertificateOfAnotherReplicaWillDo(t *testing.T) {
	const name = "service-cert:a/b"
	soon := time.Unix(1_800_000_000, 0).Add(time.Hour)
	version := func(generation string, expiry time.Time) string {
		return certificateVersion(Leaf{Generation: generation, NotAfter: expiry})
	}
	cases := []struct {
		name, held string
		want       []string
	}{
		{"same generation", version("g", soon), nil},
		{"another generation", version("f", soon), []string{"SDS " + name}},
		{"about to expire", version("g", soon.Add(-time.Hour+certificateMargin)), []string{"SDS " + name}},
		{"not a version", "what", []string{"SDS " + name}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			k := newTalk(t)
			k.shelf.waiting = name
			k.send(&discovery.DeltaDiscoveryRequest{
				TypeUrl: Secrets.URL(), ResourceNamesSubscribe: []string{name}, InitialResourceVersions: map[string]string{name: tc.held},
			})
			k.expect() // it is being issued
			k.certificate(version("g", soon.Add(24*time.Hour)))
			k.expect(tc.want...)
			if tc.want != nil {
				return
			}
			k.now = k.q.deadline()
			if limit := soon.Add(-certificateMargin); !k.now.Equal(limit) {
				t.Fatalf("deadline %s, want %s", k.now, limit)
			}
			k.expect("SDS " + name)
		})
	}
}

func TestThreat52LargeResponsesAreDivided(t *testing.T) {
	k := newTalk(t)
	big := strings.Repeat("x", 1<<20)
	for i := range 8 {
		k.put(Clusters, fmt.Sprint("c", i), big)
	}
	k.put(Listeners, "l", "1")
	k.ask(Clusters)
	k.ask(Listeners)
	k.expect("CDS c0 c1 c2")
	k.ack(Clusters)
	k.expect("CDS c3 c4 c5")
	k.ack(Clusters)
	k.expect("CDS c6 c7")
	k.ack(Clusters)
	k.expect("LDS l")
}

func TestThreat53MaliciousRequests(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	many := make([]string, maxUnknownNames+1)
	tooMany := make([]string, MaxNames+1)
	for i := range tooMany {
		tooMany[i] = fmt.Sprint(i)
	}
	copy(many, tooMany)
	cases := map[string]*discovery.DeltaDiscoveryRequest{
		"unknown type":          {TypeUrl: "type.googleapis.com/what"},
		"no type":               {},
		"huge type":             {TypeUrl: long},
		"huge nonce":            {TypeUrl: Clusters.URL(), ResponseNonce: long},
		"huge name":             {TypeUrl: Routes.URL(), ResourceNamesSubscribe: []string{long}},
		"huge unsubscription":   {TypeUrl: Routes.URL(), ResourceNamesUnsubscribe: []string{long}},
		"huge version":          {TypeUrl: Routes.URL(), InitialResourceVersions: map[string]string{"x": long}},
		"names without end":     {TypeUrl: Routes.URL(), ResourceNamesSubscribe: tooMany},
		"names of nothing":      {TypeUrl: Routes.URL(), ResourceNamesSubscribe: many},
		"unsubscribed wildcard": {TypeUrl: Clusters.URL(), ResourceNamesUnsubscribe: many},
	}
	for name, req := range cases {
		t.Run(name, func(t *testing.T) {
			k := newTalk(t)
			k.ask(Clusters)
			_, err := k.q.request(req, k.shelf, k.now)
			if err == nil {
				t.Fatal("accepted")
			}
			if len(err.Error()) > 300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// A version that was rejected alone is not sent again, also when an earlier version of it waits to be sent in a part.
func TestRejectedAloneIsNotSentInAPart(t *testing.T) {
	k := newTalk(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		k.put(Secrets, name, "1")
	}
	k.ask(Secrets, "a", "b", "c", "d")
	k.expect("SDS a b c d")
	k.put(Secrets, "d", "2")
	k.nack(Secrets, "no")
	k.expect("SDS d")
	k.nack(Secrets, "no")
	for _, want := range []string{"SDS a b", "SDS c"} {
		k.expect(want)
		k.ack(Secrets)
	}
	k.expect()
}
