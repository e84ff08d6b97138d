package server

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// maxMessage is the size in bytes above which a message is split. Clients reject messages over 4 MiB.
const maxMessage = 3 << 20

// sendingOrder is the order of types of our own sequencer.
var sendingOrder = []string{
	resource.SecretType, resource.ExtensionConfigType, resource.ClusterType,
	resource.EndpointType, resource.ListenerType, resource.RouteType,
}

// broadcast sends prepared bytes to each stream.
type broadcast struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	mesh      *mesh.Mesh
	oracle    *mesh.Oracle
	authority authority
	grpc      *grpc.Server
	read      *atomic.Int64
	// shared are the resources without duplicates.
	shared map[uint64]*mesh.Resource
	// all are the messages with all resources of a sidecar, by service; next are those of the prepared change.
	all, next map[int][]mem.BufferSlice
	wires     map[*mesh.Resource]mem.SliceBuffer

	mu      sync.Mutex
	streams map[int][]grpc.ServerStream
}

func newBroadcast(m *mesh.Mesh, a authority) (*broadcast, error) {
	b := &broadcast{
		mesh: m, oracle: mesh.NewOracle(m, a.Root()), authority: a, shared: map[uint64]*mesh.Resource{},
		grpc: grpc.NewServer(append(a.grpcOptions(), grpc.ForceServerCodecV2(bareCodec{}))...), read: &atomic.Int64{},
		all: map[int][]mem.BufferSlice{}, wires: map[*mesh.Resource]mem.SliceBuffer{}, streams: map[int][]grpc.ServerStream{},
	}
	for service := range m.Services {
		list, err := b.of(service)
		if err != nil {
			return nil, err
		}
		if b.all[service], err = b.messages(list); err != nil {
			return nil, err
		}
	}
	discovery.RegisterAggregatedDiscoveryServiceServer(b.grpc, b)
	return b, nil
}

// messages returns the responses with the resources, in the order of types in which ours are sent.
func (b *broadcast) messages(list []*mesh.Resource) ([]mem.BufferSlice, error) {
	var messages []mem.BufferSlice
	for _, typeURL := range sendingOrder {
		// Fields of one message can be encoded one after the other.
		end, err := proto.Marshal(&discovery.DeltaDiscoveryResponse{TypeUrl: typeURL, Nonce: "1"})
		if err != nil {
			return nil, err
		}
		var message mem.BufferSlice
		for _, r := range list {
			if r.TypeURL != typeURL {
				continue
			}
			if message.Len() > maxMessage {
				messages = append(messages, append(message, mem.SliceBuffer(end)))
				message = nil
			}
			if b.wires[r] == nil {
				if b.wires[r], err = wire(r); err != nil {
					return nil, err
				}
			}
			message = append(message, b.wires[r])
		}
		if message != nil {
			messages = append(messages, append(message, mem.SliceBuffer(end)))
		}
	}
	return slices.Clip(messages), nil
}

// wire encodes a resource as a field of a response, and forgets its message.
func wire(r *mesh.Resource) ([]byte, error) {
	r.Message = nil
	return proto.Marshal(&discovery.DeltaDiscoveryResponse{Resources: []*discovery.Resource{{
		Name: r.Name, Version: fmt.Sprintf("%016x", r.Hash), Resource: &anypb.Any{TypeUrl: r.TypeURL, Value: r.Value},
	}}})
}

// DeltaAggregatedResources sends all messages at once and counts the requests.
func (b *broadcast) DeltaAggregatedResources(stream discovery.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	first := &bareMessage{keep: true}
	if err := stream.RecvMsg(first); err != nil {
		return err
	}
	service, err := serviceOf(first.data)
	if err != nil {
		return err
	}
	b.read.Add(1)
	for _, message := range b.all[service] {
		if err := stream.SendMsg(message); err != nil {
			return err
		}
	}
	b.mu.Lock()
	b.streams[service] = append(b.streams[service], stream)
	b.mu.Unlock()
	for {
		if err := stream.RecvMsg(&bareMessage{}); err != nil {
			return nil
		}
		b.read.Add(1)
	}
}

func (b *broadcast) prepare(c mesh.Change) error {
	found, err := b.differences(c)
	b.next = make(map[int][]mem.BufferSlice, len(found))
	for service, list := range found {
		if b.next[service], err = b.messages(list); err != nil {
			return err
		}
	}
	return err
}

func (b *broadcast) change() error {
	for service, messages := range b.next {
		for _, stream := range b.streams[service] {
			for _, message := range messages {
				if err := stream.SendMsg(message); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// serviceOf returns the number of a sidecar's service from the node ID in its first request,
// "<uuid>.sidecar.service-<n>.<namespace>.<trust domain>".
func serviceOf(data []byte) (int, error) {
	var req discovery.DeltaDiscoveryRequest
	if err := proto.Unmarshal(data, &req); err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(req.GetNode().GetId(), ".sidecar.service-")
	number, _, _ := strings.Cut(rest, ".")
	service, err := strconv.Atoi(number)
	if err != nil {
		return 0, fmt.Errorf("node id %q names no service of the benchmark: %w", req.GetNode().GetId(), err)
	}
	return service, nil
}

// bareMessage is a request that is not decoded.
type bareMessage struct {
	keep bool
	data []byte
}

// bareCodec passes bytes through.
type bareCodec struct{}

// Name implements encoding.CodecV2.
func (bareCodec) Name() string { return "proto" }

// Marshal implements encoding.CodecV2.
func (bareCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(mem.BufferSlice)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be broadcast", v)
	}
	return message, nil
}

// Unmarshal implements encoding.CodecV2.
func (bareCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if message, ok := v.(*bareMessage); ok && message.keep {
		message.data = data.Materialize()
	}
	return nil
}

func (b *broadcast) serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, b.grpc.Stop)
	defer stop()
	if err := b.grpc.Serve(listener); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (b *broadcast) requests() int64 { return b.read.Load() }

// of returns all resources of the sidecars of a service, with their certificate.
func (b *broadcast) of(service int) ([]*mesh.Resource, error) {
	list, err := b.oracle.Resources(service)
	if err != nil {
		return nil, err
	}
	leaf, err := b.authority.Certificate(mesh.Account(service))
	if err != nil {
		return nil, err
	}
	secret := envoy.ServiceCertSecret(envoy.ServiceCertName, leaf.ChainPEM, leaf.KeyPEM)
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(secret.Message)
	if err != nil {
		return nil, err
	}
	return b.share(append(list, mesh.Resource{
		ResourceKey: mesh.ResourceKey{TypeURL: secret.TypeURL, Name: secret.Name}, Message: secret.Message, Value: value, Hash: mesh.Hash(value),
	})), nil
}

// differences returns the resources that a change adds or replaces, by service.
func (b *broadcast) differences(c mesh.Change) (map[int][]*mesh.Resource, error) {
	found, err := b.oracle.Apply(c)
	if err != nil {
		return nil, err
	}
	shared := make(map[int][]*mesh.Resource, len(found))
	for service, list := range found {
		shared[service] = b.share(list)
	}
	return shared, nil
}

func (b *broadcast) share(list []mesh.Resource) []*mesh.Resource {
	shared := make([]*mesh.Resource, len(list))
	for i := range list {
		key := list[i].Hash ^ mesh.Hash([]byte(list[i].Name))
		if b.shared[key] == nil {
			b.shared[key] = &list[i]
		}
		shared[i] = b.shared[key]
	}
	return shared
}
