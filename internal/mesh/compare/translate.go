package compare

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// resource identifies an xDS resource.
type resource struct {
	kind resourcetype.Type
	name string
}

// content is the hash and size of a resource.
type content struct {
	hash [sha256.Size]byte
	// size is the size in a response, in bytes.
	size int
	// principals may open connections to a TCP port, if the resource has its permissions.
	principals []string
}

type contents map[resource]content

// side is the mesh before or after an edit, with the configuration of its sidecars.
type side struct {
	catalog     *catalog.Catalog
	trustDomain string
	root        []byte
	// common are the destinations that clients share in a permissive mesh; nil when there are none.
	common *scope.Destinations
	// shared caches the resources of common, by the properties of clients in which they differ.
	shared    map[sharedKey]contents
	endpoints map[scope.EndpointsKey]content
}

// sharedKey has the properties of a client that its destinations depend on.
type sharedKey struct {
	ipv6      bool
	telemetry entity.Name
}

func newSide(c *catalog.Catalog, s Subject) *side {
	return &side{
		catalog: c, trustDomain: s.TrustDomain, root: s.Root, common: scope.SharedDestinations(c.View()), shared: map[sharedKey]contents{},
		endpoints: map[scope.EndpointsKey]content{},
	}
}

// built is a scope with its dependencies.
type built struct {
	*scope.Scope
	// deps are its dependencies, without those of the shared destinations.
	deps []entity.Dep
	// usesShared is true if it uses the shared destinations.
	usesShared bool
}

// build builds the scope of a key, as in the control plane. It is safe for concurrent use.
func (s *side) build(k scope.Key) built {
	view := s.catalog.View()
	var common *scope.Destinations
	if k.MayShareDestinations() && scope.UsesSharedDestinations(view, k.Identity) {
		common = s.common
	}
	made := scope.BuildWithShared(view, identity.OneTrustDomain(s.trustDomain), k, common)
	return built{Scope: made, deps: view.Deps(), usesShared: common != nil}
}

// contentsOf returns all resources of a scope, except its own certificate.
func (s *side) contentsOf(b built) (contents, error) {
	all := contents{}
	own := envoy.Build
	if b.usesShared {
		own = envoy.BuildOwn
		shared, err := s.sharedContents(b)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, shared)
	}
	if err := all.add(slices.Concat(own(b.Scope), envoy.TrustSecrets(b.Scope, s.root), envoy.OutsideSecrets(b.Scope))); err != nil {
		return nil, err
	}
	for _, cluster := range b.Clusters {
		if !cluster.HasEndpoints() {
			continue
		}
		c, err := s.endpointsOf(cluster)
		if err != nil {
			return nil, err
		}
		all[resource{resourcetype.Endpoints, cluster.Name()}] = c
	}
	return all, nil
}

// sharedContents returns the resources of the shared destinations.
func (s *side) sharedContents(b built) (contents, error) {
	key := sharedKey{b.Key.Class.IPv6, b.Key.Telemetry}
	shared, made := s.shared[key]
	if !made {
		shared = contents{}
		if err := shared.add(envoy.BuildShared(b.Scope)); err != nil {
			return nil, err
		}
		s.shared[key] = shared
	}
	return shared, nil
}

// endpointsOf returns the resource with the endpoints of a cluster.
func (s *side) endpointsOf(c scope.Cluster) (content, error) {
	if made, ok := s.endpoints[c.Endpoints]; ok {
		return made, nil
	}
	_, made, err := newContent(envoy.Endpoints(c.Name(), scope.BuildEndpoints(s.catalog.View(), c.Endpoints)))
	s.endpoints[c.Endpoints] = made
	return made, err
}

func (all contents) add(resources []envoy.Resource) error {
	for _, r := range resources {
		kind, c, err := newContent(r)
		if err != nil {
			return err
		}
		all[resource{kind, r.Name}] = c
	}
	return nil
}

// versionLength is the length of a resource's version on the wire: a hash in hexadecimal digits.
const versionLength = 16

// newContent marshals and hashes a resource.
func newContent(r envoy.Resource) (resourcetype.Type, content, error) {
	kind, err := resourcetype.ParseType(r.TypeURL)
	if err != nil {
		return 0, content{}, err
	}
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
	if err != nil {
		return 0, content{}, fmt.Errorf("%s resource %q cannot be marshalled: %w", kind, r.Name, err)
	}
	sent := &discoveryv3.Resource{
		Name: r.Name, Version: fmt.Sprintf("%0*d", versionLength, 0), Resource: &anypb.Any{TypeUrl: r.TypeURL, Value: value},
	}
	principals, _ := envoy.NetworkPrincipals(r)
	return kind, content{hash: sha256.Sum256(value), size: proto.Size(sent), principals: principals}, nil
}
