package xds

import (
	"slices"
	"testing"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// sotwClient is a state-of-the-world client that a test drives step by step.
type sotwClient struct {
	t      *testing.T
	stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient
	names  map[string][]string
	last   map[string]*discovery.DiscoveryResponse
}

func (c *control) connectSotW(t *testing.T, token string) *sotwClient {
	conn, ctx := c.dial(t, token)
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return &sotwClient{t: t, stream: stream, names: map[string][]string{}, last: map[string]*discovery.DiscoveryResponse{}}
}

// subscribe subscribes to names of a type, or to all without names.
func (o *sotwClient) subscribe(typeURL string, names ...string) {
	o.t.Helper()
	o.names[typeURL] = names
	o.send(typeURL, nil)
}

// send answers the last response of a type. The rejection is nil for an ACK.
func (o *sotwClient) send(typeURL string, rejection *rpc.Status) {
	o.t.Helper()
	last := o.last[typeURL]
	req := &discovery.DiscoveryRequest{
		TypeUrl: typeURL, ResourceNames: o.names[typeURL], ErrorDetail: rejection,
		ResponseNonce: last.GetNonce(), VersionInfo: last.GetVersionInfo(),
	}
	if err := o.stream.Send(req); err != nil {
		o.t.Fatal(err)
	}
}

// receive returns the type and the sorted names of the next response.
func (o *sotwClient) receive() (typeURL string, names []string) {
	o.t.Helper()
	response, err := o.stream.Recv()
	if err != nil {
		o.t.Fatal(err)
	}
	o.last[response.GetTypeUrl()] = response
	for _, packed := range response.GetResources() {
		m, err := packed.UnmarshalNew()
		if err != nil {
			o.t.Fatal(err)
		}
		names = append(names, nameOf(m))
	}
	slices.Sort(names)
	return response.GetTypeUrl(), names
}

// expect receives and acknowledges a response. It skips endpoints, which may be sent at any time.
func (o *sotwClient) expect(typeURL string, names ...string) {
	o.t.Helper()
	gotType, gotNames := o.receive()
	for gotType == fakexds.EndpointType && gotType != typeURL {
		o.send(gotType, nil)
		gotType, gotNames = o.receive()
	}
	if diff := cmp.Diff(names, gotNames); diff != "" || gotType != typeURL {
		o.t.Fatalf("got a response of type %s (-want +got):\n%s", gotType, diff)
	}
	o.send(typeURL, nil)
}

func nameOf(m proto.Message) string {
	switch m := m.(type) {
	case *cluster.Cluster:
		return m.GetName()
	case *endpoint.ClusterLoadAssignment:
		return m.GetClusterName()
	case *listener.Listener:
		return m.GetName()
	case *route.RouteConfiguration:
		return m.GetName()
	default:
		return ""
	}
}

// TestSotW_AddChangeRemove checks that responses have all clusters and listeners, but only the changed endpoints and routes.
func TestSotW_AddChangeRemove(t *testing.T) {
	m := newMesh()
	second := meshtest.Service("a", "second", "server", "10.96.0.2", 80, inventory.ProtocolHTTP)
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	o := c.connectSotW(t, c.tokenOf(m.client))
	o.subscribe(fakexds.ClusterType)
	_, own := o.receive()
	o.send(fakexds.ClusterType, nil)
	if !slices.Contains(own, "a/server|80") {
		t.Fatalf("the first clusters are %v", own)
	}
	o.subscribe(fakexds.EndpointType, "a/server|80", "nowhere")
	o.expect(fakexds.EndpointType, "a/server|80")
	o.subscribe(fakexds.ListenerType)
	_, listeners := o.receive()
	o.send(fakexds.ListenerType, nil)
	if !slices.Contains(listeners, "outbound_a/server_80") {
		t.Fatalf("the first listeners are %v", listeners)
	}
	// A listener of an earlier control plane, which drains, keeps the routes that it has.
	o.subscribe(fakexds.RouteType, "rds-outbound.80|a/server", "rds-outbound.80")
	o.expect(fakexds.RouteType, "rds-outbound.80|a/server")
	eventually.True(t, waitLimit, "the sidecar is up to date", func() bool { return c.store.Proxies()[0].IsUpToDate() })

	c.apply(second, meshtest.Slice(second.Name, m.server))
	more := slices.Sorted(slices.Values(append(slices.Clone(own), "a/second|80")))
	o.expect(fakexds.ClusterType, more...)
	o.subscribe(fakexds.EndpointType, "a/server|80", "a/second|80")
	o.expect(fakexds.EndpointType, "a/second|80")
	o.expect(fakexds.ListenerType, slices.Sorted(slices.Values(append(slices.Clone(listeners), "outbound_a/second_80")))...)
	version := o.last[fakexds.ClusterType].GetVersionInfo()

	c.remove(second)
	o.expect(fakexds.ListenerType, listeners...)
	o.expect(fakexds.ClusterType, own...)
	eventually.True(t, waitLimit, "the sidecar is up to date", func() bool { return c.store.Proxies()[0].IsUpToDate() })
	c.apply(second)
	o.expect(fakexds.ClusterType, more...)
	if again := o.last[fakexds.ClusterType].GetVersionInfo(); again != version {
		t.Errorf("the same clusters have version %s and then %s", version, again)
	}
}

// TestSotW_NACKIsRecorded checks that a NACK is recorded, nothing is sent again and no policy is quarantined.
func TestSotW_NACKIsRecorded(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	o := c.connectSotW(t, c.tokenOf(m.client))
	o.subscribe(fakexds.ClusterType)
	_, before := o.receive()
	o.send(fakexds.ClusterType, &rpc.Status{Code: 13, Message: "no"})
	eventually.True(t, waitLimit, "the rejection of clusters is recorded", func() bool { return c.store.Proxies()[0].Types[resourcetype.Clusters].Rejection == "no" })
	second := meshtest.Service("a", "second", "server", "10.96.0.2", 80, inventory.ProtocolHTTP)
	c.apply(second, meshtest.Slice(second.Name, m.server))
	if _, after := o.receive(); !slices.Contains(after, "a/second|80") || len(after) != len(before)+1 {
		t.Errorf("after a change the client is sent %v", after)
	}
	o.send(fakexds.ClusterType, nil)
	eventually.True(t, waitLimit, "the rejection of clusters is forgotten", func() bool { return c.store.Proxies()[0].Types[resourcetype.Clusters].Rejection == "" })
	if rejections := c.store.Rejections(); len(rejections) != 0 {
		t.Errorf("quarantined: %v", rejections)
	}
}

func TestSotW_RejectsInvalidClients(t *testing.T) {
	m := newMesh()
	c := start(t, m.entries()...)
	c.store.MarkSynced()
	_, err := c.connectSotW(t, "what").stream.Recv()
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("with an invalid token: %v", err)
	}
	o := c.connectSotW(t, c.tokenOf(m.client))
	o.subscribe("type.googleapis.com/what")
	if _, err := o.stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("with an unknown type: %v", err)
	}
}

// TestSotWAdapter_DeltaRequest converts consecutive requests.
func TestSotWAdapter_DeltaRequest(t *testing.T) {
	adapter := newSotWAdapter()
	steps := []struct {
		typeURL             string
		names, add, removed []string
	}{
		{fakexds.ClusterType, nil, []string{"*"}, nil},
		{fakexds.ClusterType, nil, nil, nil},
		{fakexds.ClusterType, []string{"b", "a"}, []string{"a", "b"}, []string{"*"}},
		{fakexds.ClusterType, []string{"b", "c"}, []string{"c"}, []string{"a"}},
		{fakexds.ClusterType, nil, nil, []string{"b", "c"}},
		{fakexds.EndpointType, nil, nil, nil},
		{fakexds.EndpointType, []string{"a"}, []string{"a"}, nil},
		{"what", []string{"a"}, nil, nil},
	}
	for i, step := range steps {
		got := adapter.deltaRequest(&discovery.DiscoveryRequest{TypeUrl: step.typeURL, ResourceNames: step.names})
		if !slices.Equal(got.GetResourceNamesSubscribe(), step.add) || !slices.Equal(got.GetResourceNamesUnsubscribe(), step.removed) {
			t.Errorf("step %d: subscribes to %v, want %v; from %v, want %v", i, got.GetResourceNamesSubscribe(), step.add,
				got.GetResourceNamesUnsubscribe(), step.removed)
		}
	}
}
