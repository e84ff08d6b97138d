package xds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// cycle is a kind of message that a hostile client repeats with other texts. It returns the messages of a round.
type cycle func(round int) []*discovery.DeltaDiscoveryRequest

// cycles are the messages of all kinds, for all types of resources.
func cycles() map[string]cycle {
	all := map[string]cycle{
		"node": func(round int) []*discovery.DeltaDiscoveryRequest {
			metadata := &structpb.Struct{Fields: map[string]*structpb.Value{long(round): structpb.NewStringValue(long(round))}}
			return []*discovery.DeltaDiscoveryRequest{{TypeUrl: fakexds.ClusterType, Node: &core.Node{Id: long(round), Cluster: long(round), Metadata: metadata}}}
		},
	}
	for _, url := range []string{fakexds.ClusterType, fakexds.EndpointType, fakexds.ListenerType, fakexds.RouteType, fakexds.SecretType, fakexds.ExtensionType} {
		add := func(kind string, round cycle) { all[url[strings.LastIndex(url, ".")+1:]+" "+kind] = round }
		add("names", subscriptions(url, func(i int) string { return long(i) }))
		add("names that exist", subscriptions(url, func(int) string { return "a/server|80" }))
		add("names of destinations", subscriptions(url, func(i int) string { return fmt.Sprintf("on-demand|10.%d.%d.%d:80", byte(i>>16), byte(i>>8), byte(i)) }))
		add("names like destinations", subscriptions(url, func(i int) string { return "on-demand|" + long(i) }))
		add("wildcards", func(int) []*discovery.DeltaDiscoveryRequest {
			return []*discovery.DeltaDiscoveryRequest{{TypeUrl: url, ResourceNamesUnsubscribe: []string{"*"}}, {TypeUrl: url, ResourceNamesSubscribe: []string{"*"}}}
		})
		add("NACKs", func(round int) []*discovery.DeltaDiscoveryRequest {
			return []*discovery.DeltaDiscoveryRequest{{TypeUrl: url, ResponseNonce: fmt.Sprint(round), ErrorDetail: &rpc.Status{Message: long(round)}}}
		})
		add("versions", func(round int) []*discovery.DeltaDiscoveryRequest {
			return []*discovery.DeltaDiscoveryRequest{{TypeUrl: url, InitialResourceVersions: map[string]string{long(round): long(round)}}}
		})
	}
	return all
}

func long(i int) string { return fmt.Sprint(strings.Repeat("x", 600), i) }

// subscriptions subscribes to names and unsubscribes from them.
func subscriptions(url string, nameOf func(int) string) cycle {
	return func(round int) []*discovery.DeltaDiscoveryRequest {
		names := make([]string, 12)
		for i := range names {
			names[i] = nameOf(round*len(names) + i)
		}
		return []*discovery.DeltaDiscoveryRequest{{TypeUrl: url, ResourceNamesSubscribe: names}, {TypeUrl: url, ResourceNamesUnsubscribe: names}}
	}
}

// TestRepeatedMessagesLeaveNothing has clients that load destinations on demand, and others. Each repeats one kind of message for 1,000 rounds, without a wildcard
// at first. What the control plane keeps does not grow with the rounds.
func TestRepeatedMessagesLeaveNothing(t *testing.T) {
	const warmUp, rounds, limit = 50, 1000, 1 << 20
	for _, onDemand := range []bool{false, true} {
		m := newMesh()
		m.client.OnDemand = onDemand
		c := start(t, m.entries()...)
		c.store.MarkSynced()
		for name, messages := range cycles() {
			client := c.cyclingClient(t, c.tokenOf(m.client))
			for round := range warmUp {
				client.send(messages(round))
			}
			before := heap()
			for round := range rounds {
				client.send(messages(warmUp + round))
				if round%16 == 0 { // with as many names as are counted until the next second
					c.later.Add(int64(time.Second))
				}
			}
			what := fmt.Sprintf("%s, on demand %t: %d rounds are processed, and the heap has not grown by %d KiB", name, onDemand, rounds, limit>>10)
			eventually.True(t, waitLimit, what, func() bool { return int64(heap())-int64(before) < limit })
			client.close()
		}
	}
}

// cyclingClient sends messages over a stream, and acknowledges the answers.
type cyclingClient struct {
	t      *testing.T
	stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	// responses has room for one response of each type, which the control plane sends before it waits for an answer.
	responses chan *discovery.DeltaDiscoveryResponse
	failure   error
	close     func()
}

func (c *control) cyclingClient(t *testing.T, token string) *cyclingClient {
	t.Helper()
	conn, ctx := c.dial(t, token)
	stream, err := newStream(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	client := &cyclingClient{t: t, stream: stream, responses: make(chan *discovery.DeltaDiscoveryResponse, 64), close: func() { _ = conn.Close() }}
	// The first request has a name, so the client has no wildcard.
	client.write(&discovery.DeltaDiscoveryRequest{TypeUrl: fakexds.ClusterType, ResourceNamesSubscribe: []string{"none"}})
	go func() {
		defer close(client.responses)
		for {
			response, err := stream.Recv()
			if err != nil {
				client.failure = err
				return
			}
			client.responses <- response
		}
	}()
	return client
}

func (c *cyclingClient) write(message *discovery.DeltaDiscoveryRequest) {
	c.t.Helper()
	if err := c.stream.Send(message); err != nil {
		for range c.responses { // until the reason is known
		}
		c.t.Fatalf("%s: the stream has ended: %v", message.GetTypeUrl(), c.failure)
	}
}

func (c *cyclingClient) send(messages []*discovery.DeltaDiscoveryRequest) {
	c.t.Helper()
	for _, message := range messages {
		select {
		case response := <-c.responses:
			c.acknowledge(response)
		default:
		}
		c.write(message)
	}
}

// acknowledge answers a response.
func (c *cyclingClient) acknowledge(response *discovery.DeltaDiscoveryResponse) {
	c.t.Helper()
	if response == nil {
		c.t.Fatalf("the stream has ended: %v", c.failure)
	}
	c.write(&discovery.DeltaDiscoveryRequest{TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce()})
}
