package fakexds

import (
	"context"
	"crypto/tls"
	"fmt"
	"hash/maphash"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpproxy "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// Options configures a Client.
type Options struct {
	// Address is the host:port of the server.
	Address string
	TLS     *tls.Config
	// Token is the bearer token of the stream; an empty one is not sent.
	Token string
	// NodeID is the node ID in the first request.
	NodeID string
	// Node modifies the node of the first request; it may be nil.
	Node *core.Node
	// Reject returns the error detail with which a response is rejected, or "" to accept it. Nil accepts every response.
	Reject func(*discovery.DeltaDiscoveryResponse) string
	// Applied is called on the client's goroutine after a response was applied; it may be nil.
	Applied func(*discovery.DeltaDiscoveryResponse)
	// Destinations are the clusters that the Envoy asks for by name after it has received its listeners.
	Destinations []string
}

// Run connects an Envoy and responds to the server until ctx or the stream ends. It returns the cause.
func Run(ctx context.Context, options Options, envoy *Envoy) error {
	conn, err := grpc.NewClient("passthrough:///"+options.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(options.TLS)),
		grpc.WithReadBufferSize(4<<10))
	if err != nil {
		return fmt.Errorf("the client cannot be created: %w", err)
	}
	defer func() { _ = conn.Close() }()
	return RunOver(ctx, conn, options, envoy)
}

// RunOver is Run over an existing connection.
func RunOver(ctx context.Context, conn grpc.ClientConnInterface, options Options, envoy *Envoy) error {
	if options.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", options.Token)
	}
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	requests := envoy.Open()
	requests[0].Node = &core.Node{Id: options.NodeID, Cluster: "fake"}
	proto.Merge(requests[0].Node, options.Node)
	for {
		for _, req := range requests {
			if err := stream.Send(req); err != nil {
				break // Recv returns the error
			}
		}
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		if requests, err = options.answer(envoy, response); err != nil {
			return err
		}
	}
}

func (o *Options) answer(envoy *Envoy, response *discovery.DeltaDiscoveryResponse) ([]*discovery.DeltaDiscoveryRequest, error) {
	if o.Reject != nil {
		if why := o.Reject(response); why != "" {
			return envoy.Reject(response, why), nil
		}
	}
	requests, err := envoy.Receive(response)
	if err == nil && o.Applied != nil {
		o.Applied(response)
	}
	if response.GetTypeUrl() == ListenerType {
		for _, name := range o.Destinations {
			requests = append(requests, envoy.AskFor(name)...)
		}
	}
	return requests, err
}

// references are the references of a resource: names by type URL.
type references map[string]map[string]struct{}

func (r references) add(typeURL, name string) {
	if name == "" {
		return
	}
	if r[typeURL] == nil {
		r[typeURL] = map[string]struct{}{}
	}
	r[typeURL][name] = struct{}{}
}

func (r references) has(typeURL, name string) bool {
	_, has := r[typeURL][name]
	return has
}

// seed makes the hashes of contents comparable.
var seed = maphash.MakeSeed()

// referencesOf reads a resource and its nested messages.
func (e *Envoy) referencesOf(resource *anypb.Any) (references, error) {
	content := maphash.Bytes(seed, resource.GetValue())
	if e.decoded != nil {
		if refs, ok := e.decoded.Load(content); ok {
			return refs.(references), nil
		}
	}
	refs := references{}
	err := refs.open(resource)
	if e.decoded != nil && err == nil {
		e.decoded.Store(content, refs)
	}
	return refs, err
}

func (r references) open(packed *anypb.Any) error {
	m, err := packed.UnmarshalNew()
	if err != nil {
		return err
	}
	return r.walk(m)
}

func (r references) walk(m proto.Message) error {
	r.note(m)
	if packed, ok := m.(*anypb.Any); ok {
		return r.open(packed)
	}
	var err error
	visit := func(v protoreflect.Value) {
		if err == nil {
			err = r.walk(v.Message().Interface())
		}
	}
	m.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap():
			if field.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { visit(v); return err == nil })
			}
		case field.Message() == nil:
		case field.IsList():
			for i := range v.List().Len() {
				visit(v.List().Get(i))
			}
		default:
			visit(v)
		}
		return err == nil
	})
	return err
}

// note adds the direct references of one message.
func (r references) note(m proto.Message) {
	switch m := m.(type) {
	case *cluster.Cluster:
		if m.GetType() == cluster.Cluster_EDS {
			name := m.GetEdsClusterConfig().GetServiceName()
			if name == "" {
				name = m.GetName()
			}
			r.add(EndpointType, name)
		}
	case *tlsv3.SdsSecretConfig:
		r.add(SecretType, m.GetName())
	case *listener.Filter:
		if m.GetConfigDiscovery() != nil {
			r.add(ExtensionType, m.GetName())
		}
	case *hcm.Rds:
		r.add(RouteType, m.GetRouteConfigName())
	case *tcpproxy.TcpProxy:
		if m.GetOnDemand() == nil { // otherwise Envoy asks for the cluster when it needs it
			r.add(ClusterType, m.GetCluster())
		}
		for _, w := range m.GetWeightedClusters().GetClusters() {
			r.add(ClusterType, w.GetName())
		}
	case *route.RouteAction:
		r.add(ClusterType, m.GetCluster())
		for _, w := range m.GetWeightedClusters().GetClusters() {
			r.add(ClusterType, w.GetName())
		}
	}
}
