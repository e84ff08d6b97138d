package plan

import (
	"crypto/sha256"
	"fmt"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/envoy"
	"github.com/openservicemesh/osm-operator/internal/scope"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// resource names what a sidecar is sent.
type resource struct {
	kind snapshot.Type
	name string
}

// content is a resource by its hash.
type content struct {
	hash [sha256.Size]byte
	// size is what it takes in a response, in bytes.
	size int
}

type contents map[resource]content

// side is the mesh before or after an edit, as sidecars would be told.
type side struct {
	catalog     *catalog.Catalog
	trustDomain string
	root        []byte
	// common are the destinations that clients share in a permissive mesh; nil when there are none.
	common *scope.Destinations
	// shared are the resources of common, by whether pods have IPv6 addresses.
	shared    map[bool]contents
	endpoints map[scope.EndpointsKey]content
}

func newSide(c *catalog.Catalog, s Subject) *side {
	return &side{catalog: c, trustDomain: s.TrustDomain, root: s.Root, common: scope.Common(c.View()), shared: map[bool]contents{}, endpoints: map[scope.EndpointsKey]content{}}
}

// built is the scope of one kind of sidecar.
type built struct {
	*scope.Scope
	// reads is what it was made of, beside what it shares.
	reads []catalog.Dep
	// sharing is true when its destinations are the common ones.
	sharing bool
}

// build makes the scope of a key, as the control plane does. It may be called by several goroutines at a time.
func (s *side) build(k scope.Key) built {
	view := s.catalog.View()
	var common *scope.Destinations
	if scope.SharesCommon(view, k.Identity) {
		common = s.common
	}
	made := scope.BuildSharing(view, s.trustDomain, k, common)
	return built{Scope: made, reads: view.Deps(), sharing: common != nil}
}

// contentsOf are all resources of a scope but its own certificate.
func (s *side) contentsOf(b built) (contents, error) {
	all := contents{}
	own := envoy.Build
	if b.sharing {
		own = func(sc *scope.Scope) []envoy.Resource { return envoy.Own(sc, s.root) }
		shared, err := s.sharedBy(b)
		if err != nil {
			return nil, err
		}
		for id, c := range shared {
			all[id] = c
		}
	} else if err := all.add(envoy.TrustSecrets(b.Scope, s.root)); err != nil {
		return nil, err
	}
	if err := all.add(own(b.Scope)); err != nil {
		return nil, err
	}
	for _, cluster := range b.Clusters {
		c, err := s.endpointsOf(cluster)
		if err != nil {
			return nil, err
		}
		all[resource{snapshot.Endpoints, cluster.Name()}] = c
	}
	return all, nil
}

// sharedBy are the resources that a scope shares with others.
func (s *side) sharedBy(b built) (contents, error) {
	shared, made := s.shared[b.Key.Class.IPv6]
	if !made {
		shared = contents{}
		if err := shared.add(envoy.Shared(b.Scope, s.root)); err != nil {
			return nil, err
		}
		s.shared[b.Key.Class.IPv6] = shared
	}
	return shared, nil
}

// endpointsOf is the resource with the endpoints of a cluster.
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
func newContent(r envoy.Resource) (snapshot.Type, content, error) {
	kind, err := snapshot.ParseType(r.TypeURL)
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
	return kind, content{hash: sha256.Sum256(value), size: proto.Size(sent)}, nil
}
