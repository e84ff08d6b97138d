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

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// cache is the snapshot cache of go-control-plane with the same resources. The affected nodes of a change are given, and their
// computation is not measured, because every control plane has to do it.
type cache struct {
	library *library
	cache   cachev3.SnapshotCache
	grpc    *grpc.Server
	read    atomic.Int64
	version int
	// nodes are the IDs of the nodes of a service.
	nodes func(service int) []string
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

func newCache(m *mesh.Mesh, a authority, byProxy bool) (*cache, error) {
	c := &cache{library: newLibrary(m, a), held: map[int]map[string]map[string]types.Resource{}}
	c.nodes = func(service int) []string {
		return []string{byIdentity{}.ID(&core.Node{Id: m.NodeID(service * mesh.PodsPerService)})}
	}
	var hash cachev3.NodeHash = byIdentity{}
	if byProxy {
		hash = cachev3.IDHash{}
		c.nodes = func(service int) []string {
			ids := make([]string, mesh.PodsPerService)
			for n := range ids {
				ids[n] = m.NodeID(service*mesh.PodsPerService + n)
			}
			return ids
		}
	}
	c.cache = cachev3.NewSnapshotCache(true, hash, nil)
	for service := range m.Services {
		list, err := c.library.of(service)
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
	c.grpc = grpc.NewServer(a.grpcOptions()...)
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
	for _, node := range c.nodes(service) {
		c.next = append(c.next, update{node, resources})
	}
}

func (c *cache) serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, c.grpc.Stop)
	defer stop()
	if err := c.grpc.Serve(listener); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (c *cache) prepare(change mesh.Change) error {
	found, err := c.library.differences(change)
	if err != nil {
		return err
	}
	for service, list := range found {
		c.hold(service, list)
	}
	return nil
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

func (c *cache) requests() int64 { return c.read.Load() }
