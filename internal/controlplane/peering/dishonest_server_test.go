package peering

import (
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

type deltaStream = discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer

// dishonestServer is the control plane of east, with its key, under the control of a test.
type dishonestServer struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	mesh    *testMesh
	handler func(deltaStream) error
}

func (s *dishonestServer) DeltaAggregatedResources(stream deltaStream) error {
	return s.handler(stream)
}

// newDishonest returns a mesh west whose peer east does what a function does.
func newDishonest(t *testing.T, handler func(s *dishonestServer, stream deltaStream) error) (server *dishonestServer, west *testMesh) {
	t.Helper()
	east, west := newMesh(t, eastDomain), newMesh(t, westDomain)
	server = &dishonestServer{mesh: east}
	server.handler = func(stream deltaStream) error { return handler(server, stream) }
	peers := newRegistry(time.Now)
	peers.set([]Peer{west.peer("west")})
	config := east.config("")
	serving := grpc.NewServer(grpc.Creds(credentials.NewTLS(config.serverTLS(peers))))
	discovery.RegisterAggregatedDiscoveryServiceServer(serving, server)
	go func() { _ = serving.Serve(east.listener) }()
	t.Cleanup(serving.Stop)
	west.timing = defaultTiming()
	west.timing.answer = 2 * time.Second
	west.start(t, east.address(), east.peer("east"))
	return server, west
}

// record is a valid record for west.
func record(name string, generation int64) peering.Record {
	return peering.Record{
		Format: peering.Format, Kind: peering.KindService, Namespace: "shop", Name: name, Issuer: eastDomain, Audience: westDomain, Epoch: "1",
		Generation: generation, IssuedAt: time.Now().Unix(), Service: &peering.Service{Ports: []peering.Port{{Number: 80, Ready: true}}},
	}
}

// resource signs a record with the key of a mesh.
func (m *testMesh) resource(r peering.Record) *discovery.Resource {
	own, err := m.certificates.Get(eastDomain)
	if err != nil {
		panic(err)
	}
	return resourceSignedBy(own, r)
}

func resourceSignedBy(own *tls.Certificate, r peering.Record) *discovery.Resource {
	signed, err := sign(own, r)
	if err != nil {
		panic(err)
	}
	return rawResource(r.ResourceName(), signed)
}

func rawResource(name, content string) *discovery.Resource {
	value, err := anypb.New(wrapperspb.Bytes([]byte(content)))
	if err != nil {
		panic(err)
	}
	return &discovery.Resource{Name: name, Version: "1.x", Resource: value}
}

func response(resources ...*discovery.Resource) *discovery.DeltaDiscoveryResponse {
	return &discovery.DeltaDiscoveryResponse{TypeUrl: typeURL, Nonce: "n", Resources: resources}
}

// TestRejectedRecords sends a valid record, and then one that must be rejected with a reason. The valid one stays in force.
func TestRejectedRecords(t *testing.T) {
	forger := newMesh(t, eastDomain)
	for name, test := range map[string]struct {
		sent   func(east *testMesh) *discovery.Resource
		reason Reason
	}{
		"no signature":         {func(*testMesh) *discovery.Resource { return rawResource("service/shop/cart", `{"format":1}`) }, ReasonUntrusted},
		"of another root":      {func(*testMesh) *discovery.Resource { return forger.resource(record("cart", 9)) }, ReasonUntrusted},
		"changed":              {func(east *testMesh) *discovery.Resource { return tampered(east) }, ReasonUntrusted},
		"of a workload":        {func(east *testMesh) *discovery.Resource { return ofWorkload(t, east) }, ReasonUntrusted},
		"of another issuer":    {changed(func(r *peering.Record) { r.Issuer = "other.example" }), ReasonWrongIssuer},
		"for another mesh":     {changed(func(r *peering.Record) { r.Audience = "other.example" }), ReasonWrongAudience},
		"an old one":           {changed(func(r *peering.Record) { r.Generation = 1 }), ReasonOldGeneration},
		"of a later format":    {changed(func(r *peering.Record) { r.Format = peering.Format + 1 }), ReasonLaterFormat},
		"without an epoch":     {changed(func(r *peering.Record) { r.Epoch = "" }), ReasonInvalid},
		"without a port":       {changed(func(r *peering.Record) { r.Service.Ports = nil }), ReasonInvalid},
		"with many accounts":   {changed(func(r *peering.Record) { r.Service.Ports[0].Clients = make([]peering.Account, 65) }), ReasonInvalid},
		"about something else": {changedAs("service/shop/cart", func(r *peering.Record) { r.Name = "stock" }), ReasonInvalid},
		"of another type": {func(*testMesh) *discovery.Resource {
			return &discovery.Resource{Name: "service/shop/cart", Resource: &anypb.Any{TypeUrl: "x"}}
		}, ReasonInvalid},
		"larger than the limit":  {changed(func(r *peering.Record) { r.Signer = strings.Repeat("x", maxRecordBytes) }), ReasonTooManyBytes},
		"trust without a bundle": {changed(func(r *peering.Record) { r.Kind, r.Trust = peering.KindTrust, &peering.Trust{} }), ReasonInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := make(chan *discovery.DeltaDiscoveryRequest, 8)
			_, west := newDishonest(t, func(s *dishonestServer, stream deltaStream) error {
				_, _ = stream.Recv()
				_ = stream.Send(response(s.mesh.resource(record("cart", 5))))
				_, _ = stream.Recv()
				_ = stream.Send(response(test.sent(s.mesh)))
				answer, err := stream.Recv()
				answers <- answer
				<-stream.Context().Done()
				return err
			})
			eventually.True(t, waitLimit, "the reason is reported", func() bool { _, ok := west.state().Problem(test.reason); return ok })
			if west.service("east", "cart") == nil || !west.state().Connected {
				t.Error("the earlier record is not in force any more")
			}
			if answer := <-answers; answer.GetErrorDetail() == nil {
				t.Error("the answer is no NACK")
			}
		})
	}
}

func changed(change func(*peering.Record)) func(*testMesh) *discovery.Resource {
	return func(east *testMesh) *discovery.Resource {
		r := record("cart", 9)
		change(&r)
		return east.resource(r)
	}
}

func changedAs(name string, change func(*peering.Record)) func(*testMesh) *discovery.Resource {
	return func(east *testMesh) *discovery.Resource {
		resource := changed(change)(east)
		resource.Name = name
		return resource
	}
}

// tampered is a record whose content was replaced after it was signed.
func tampered(east *testMesh) *discovery.Resource {
	content := func(r *discovery.Resource) []string {
		var value wrapperspb.BytesValue
		_ = r.GetResource().UnmarshalTo(&value)
		return strings.Split(string(value.GetValue()), ".")
	}
	a, b := content(east.resource(record("cart", 9))), content(east.resource(record("cart", 10)))
	return rawResource("service/shop/cart", a[0]+"."+b[1]+"."+a[2])
}

// ofWorkload is a record that is signed with the key of a workload.
func ofWorkload(t *testing.T, east *testMesh) *discovery.Resource {
	key, err := east.root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	chain, private := pki.Load(t, east.root.CertPEM(), key).Issue(t, identity.ServiceAccount{Namespace: "shop", Name: "ads"}, eastDomain)
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		t.Fatal(err)
	}
	return resourceSignedBy(&pair, record("cart", 9))
}

// TestTooMuch sends more than the limits allow.
func TestTooMuch(t *testing.T) {
	for name, test := range map[string]struct {
		size   int
		total  int
		reason Reason
	}{
		"Services": {0, peering.MaxServices + 5, ReasonTooManyServices},
		"bytes":    {200 << 10, 20, ReasonTooManyBytes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, west := newDishonest(t, func(s *dishonestServer, stream deltaStream) error {
				part := response()
				for i := range test.total {
					r := record(fmt.Sprintf("s%03d", i), 5)
					r.Signer = strings.Repeat("x", test.size)
					part.Resources = append(part.Resources, s.mesh.resource(r))
					if test.size > 0 && i%3 == 2 || i == test.total-1 {
						_ = stream.Send(part)
						part = response()
					}
				}
				<-stream.Context().Done()
				return nil
			})
			eventually.True(t, waitLimit, "the reason is reported", func() bool { _, ok := west.state().Problem(test.reason); return ok })
			if state := west.state(); state.Services > peering.MaxServices || state.Bytes > maxTotalBytes {
				t.Errorf("state %+v", state)
			}
		})
	}
}

// TestStreamsThatEnd checks that a stream of a peer that does not follow the protocol ends for a reason, and that another one is not opened at once.
func TestStreamsThatEnd(t *testing.T) {
	parts := make([]*discovery.Resource, 400_000)
	for name, test := range map[string]struct {
		handler func(s *dishonestServer, stream deltaStream) error
		reason  Reason
	}{
		"large message": {func(_ *dishonestServer, stream deltaStream) error {
			return stream.Send(response(rawResource("x", strings.Repeat("x", MaxMessageBytes))))
		}, ReasonMessageTooLarge},
		"many parts": {func(_ *dishonestServer, stream deltaStream) error {
			return stream.Send(response(parts...))
		}, ReasonUnreachable},
		"many records": {func(_ *dishonestServer, stream deltaStream) error {
			return stream.Send(response(make([]*discovery.Resource, maxResources+1)...))
		}, ReasonProtocol},
		"another type": {func(_ *dishonestServer, stream deltaStream) error {
			return stream.Send(&discovery.DeltaDiscoveryResponse{TypeUrl: "x"})
		}, ReasonProtocol},
		"a long name": {func(_ *dishonestServer, stream deltaStream) error {
			return stream.Send(response(&discovery.Resource{Name: strings.Repeat("x", 1000)}))
		}, ReasonProtocol},
		"silence": {func(_ *dishonestServer, stream deltaStream) error {
			<-stream.Context().Done()
			return nil
		}, ReasonNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var streams atomic.Int64
			_, west := newDishonest(t, func(s *dishonestServer, stream deltaStream) error {
				streams.Add(1)
				if err := test.handler(s, stream); err != nil {
					return err
				}
				<-stream.Context().Done()
				return nil
			})
			eventually.True(t, waitLimit, "the reason is reported", func() bool { _, ok := west.state().Problem(test.reason); return ok })
			time.Sleep(500 * time.Millisecond)
			if test.reason != ReasonUnreachable && streams.Load() > 1 {
				t.Errorf("%d streams within half a second", streams.Load())
			}
		})
	}
}

// TestAnEndlessStreamIsPaced sends changes as fast as possible. The client reads a few, and needs no memory for the others.
func TestAnEndlessStreamIsPaced(t *testing.T) {
	var sent atomic.Int64
	_, west := newDishonest(t, func(s *dishonestServer, stream deltaStream) error {
		for generation := int64(1); ; generation++ {
			r := record("cart", generation)
			r.Service.Ports[0].Ready = generation%2 == 0
			r.Signer = strings.Repeat("x", 150<<10)
			if err := stream.Send(response(s.mesh.resource(r))); err != nil {
				return err
			}
			sent.Add(1)
		}
	})
	waitFor(t, west, "cart")
	before := heap()
	const duration = 3 * time.Second
	time.Sleep(duration)
	most := responseBurst + int(duration/responseInterval) + 2
	if _, changes := west.counts(); changes > most {
		t.Errorf("%d changes in %s, want at most %d", changes, duration, most)
	}
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestServersOfOthersAreNotTrusted connects to servers that are not the control plane of the peer.
func TestServersOfOthersAreNotTrusted(t *testing.T) {
	east, west, other := newMesh(t, eastDomain), newMesh(t, westDomain), newMesh(t, "other.example")
	key, err := east.root.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	chain, private := pki.Load(t, east.root.CertPEM(), key).Issue(t, identity.ServiceAccount{Namespace: "shop", Name: "ads"}, eastDomain)
	workload, err := tls.X509KeyPair(chain, private)
	if err != nil {
		t.Fatal(err)
	}
	forger := newMesh(t, eastDomain)
	certificate := func(m *testMesh, domain string) *tls.Certificate {
		own, err := m.certificates.Get(domain)
		if err != nil {
			t.Fatal(err)
		}
		return own
	}
	for name, own := range map[string]*tls.Certificate{
		"a workload of the peer": &workload, "another mesh": certificate(other, "other.example"), "another mesh with the name": certificate(forger, eastDomain),
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*own}, NextProtos: []string{"h2"}})
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go acceptAll(listener)
			config := west.config(listener.Addr().String())
			config.log, config.timing = newLimitedLog(config.Log, config.Now), defaultTiming()
			peers := newRegistry(time.Now)
			peers.set([]Peer{east.peer("east")})
			client := newClient(config, peers, newMetrics(config.Metrics), east.peer("east"))
			if answered, err := client.connect(t.Context()); answered || err == nil || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("answered %t, error %v", answered, err)
			}
		})
	}
}

func acceptAll(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = conn.Read(make([]byte, 1)) }()
	}
}
