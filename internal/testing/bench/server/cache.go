package server

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync/atomic"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// cache is the snapshot cache of go-control-plane with the same resources. The affected nodes of a change are given, and their
// computation is not measured, because every control plane has to do it.
type cache struct {
	library
	cache   cachev3.SnapshotCache
	version int
	// held are the resources of a service by type and name.
	held map[int]map[string]map[string]types.Resource
	next []update
}

// update is a prepared snapshot.
type update struct {
	node      string
	resources map[string][]types.Resource
}

// byIdentity maps sidecars of one identity to one node: the part of the ID after "<uuid>.sidecar.".
type byIdentity struct{}

// ID implements cache.NodeHash.
func (byIdentity) ID(node *core.Node) string {
	_, workload, _ := strings.Cut(node.GetId(), ".sidecar.")
	return workload
}

func newCache(m *mesh.Mesh, a authority) (*cache, error) {
	c := &cache{
		library: newLibrary(m, a), held: map[int]map[string]map[string]types.Resource{}, cache: cachev3.NewSnapshotCache(true, byIdentity{}, nil),
	}
	for service := range m.Services {
		list, err := c.of(service)
		if err != nil {
			return nil, err
		}
		c.hold(service, list)
	}
	if err := c.change(); err != nil {
		return nil, err
	}
	callbacks := serverv3.CallbackFuncs{StreamDeltaRequestFunc: func(int64, *discovery.DeltaDiscoveryRequest) error {
		c.read.Add(1)
		return nil
	}}
	discovery.RegisterAggregatedDiscoveryServiceServer(c.grpc, serverv3.NewServer(context.Background(), c.cache, callbacks))
	return c, nil
}

// hold stores resources of a service and prepares its snapshots.
func (c *cache) hold(service int, list []*mesh.Resource) {
	if c.held[service] == nil {
		c.held[service] = map[string]map[string]types.Resource{}
	}
	for _, r := range list {
		if c.held[service][r.TypeURL] == nil {
			c.held[service][r.TypeURL] = map[string]types.Resource{}
		}
		c.held[service][r.TypeURL][r.Name] = r.Message
	}
	resources := map[string][]types.Resource{}
	for typeURL, named := range c.held[service] {
		for _, r := range named {
			resources[typeURL] = append(resources[typeURL], r)
		}
	}
	node := &core.Node{Id: c.mesh.NodeID(service * mesh.PodsPerService)}
	c.next = append(c.next, update{byIdentity{}.ID(node), resources})
}

func (c *cache) prepare(change mesh.Change) error {
	found, err := c.differences(change)
	for service, list := range found {
		c.hold(service, list)
	}
	return err
}

func (c *cache) change() error {
	c.version++
	for _, u := range c.next {
		s, err := cachev3.NewSnapshot(strconv.Itoa(c.version), u.resources)
		if err != nil {
			return err
		}
		if err := c.cache.SetSnapshot(context.Background(), u.node, s); err != nil {
			return err
		}
	}
	c.next = nil
	return nil
}

// library is a gRPC server that counts requests, with the same resources for the other variants, without duplicates.
type library struct {
	mesh      *mesh.Mesh
	oracle    *mesh.Oracle
	authority authority
	shared    map[uint64]*mesh.Resource
	grpc      *grpc.Server
	read      *atomic.Int64
}

func newLibrary(m *mesh.Mesh, a authority, options ...grpc.ServerOption) library {
	return library{
		mesh: m, oracle: mesh.NewOracle(m, a.Root()), authority: a, shared: map[uint64]*mesh.Resource{},
		grpc: grpc.NewServer(append(options, a.grpcOptions()...)...), read: &atomic.Int64{},
	}
}

func (l *library) serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, l.grpc.Stop)
	defer stop()
	if err := l.grpc.Serve(listener); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (l *library) requests() int64 { return l.read.Load() }

// of returns all resources of the sidecars of a service, with their certificate.
func (l *library) of(service int) ([]*mesh.Resource, error) {
	list, err := l.oracle.Resources(service)
	if err != nil {
		return nil, err
	}
	leaf, err := l.authority.Certificate(mesh.Account(service))
	if err != nil {
		return nil, err
	}
	secret := envoy.ServiceCertSecret(envoy.ServiceCertName, leaf.ChainPEM, leaf.KeyPEM)
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(secret.Message)
	if err != nil {
		return nil, err
	}
	return l.share(append(list, mesh.Resource{
		ResourceKey: mesh.ResourceKey{TypeURL: secret.TypeURL, Name: secret.Name}, Message: secret.Message, Value: value, Hash: mesh.Hash(value),
	})), nil
}

// differences returns the resources that a change adds or replaces, by service.
func (l *library) differences(c mesh.Change) (map[int][]*mesh.Resource, error) {
	found, err := l.oracle.Apply(c)
	if err != nil {
		return nil, err
	}
	shared := make(map[int][]*mesh.Resource, len(found))
	for service, list := range found {
		shared[service] = l.share(list)
	}
	return shared, nil
}

func (l *library) share(list []mesh.Resource) []*mesh.Resource {
	shared := make([]*mesh.Resource, len(list))
	for i := range list {
		key := list[i].Hash ^ mesh.Hash([]byte(list[i].Name))
		if l.shared[key] == nil {
			l.shared[key] = &list[i]
		}
		shared[i] = l.shared[key]
	}
	return shared
}
