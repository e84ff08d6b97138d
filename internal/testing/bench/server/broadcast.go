package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

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
	library
	// all are the messages with all resources of a sidecar, by service; next are those of the prepared change.
	all, next map[int][]mem.BufferSlice
	wires     map[*mesh.Resource]mem.SliceBuffer

	mu      sync.Mutex
	streams map[int][]grpc.ServerStream
}

func newBroadcast(m *mesh.Mesh, a authority) (*broadcast, error) {
	b := &broadcast{
		library: newLibrary(m, a, grpc.ForceServerCodecV2(bareCodec{})), all: map[int][]mem.BufferSlice{},
		wires: map[*mesh.Resource]mem.SliceBuffer{}, streams: map[int][]grpc.ServerStream{},
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
