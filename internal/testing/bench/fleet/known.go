package fleet

import (
	"sync"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// kind is a resource type, encoded compactly because it is part of many keys.
type kind uint8

// Resource types, in the order of the first requests of a reconnecting sidecar.
const (
	clusters kind = iota
	endpoints
	secrets
	listeners
	routes
	extensions
	numKinds
)

var urls = [numKinds]string{
	fakexds.ClusterType, fakexds.EndpointType, fakexds.SecretType,
	fakexds.ListenerType, fakexds.RouteType, fakexds.ExtensionType,
}

func kindOf(url []byte) (kind, bool) {
	for k, known := range urls {
		if string(url) == known {
			return kind(k), true
		}
	}
	return 0, false
}

// name is the type and name of a resource, shared by all sidecars.
type name struct {
	kind kind
	text string
}

// resource holds the parsed content of a resource, shared by all sidecars with equal content.
type resource struct {
	hash uint64
	// refs are the names that a sidecar subscribes to because of this resource.
	refs []*name
}

// known caches names, versions and resources of all sidecars, so that each is parsed once.
type known struct {
	mu        sync.Mutex
	names     [numKinds]map[string]*name
	versions  map[string]*string
	resources map[uint64]*resource
}

func newKnown() *known {
	k := &known{versions: map[string]*string{}, resources: map[uint64]*resource{}}
	for i := range k.names {
		k.names[i] = map[string]*name{}
	}
	return k
}

func (k *known) name(of kind, text []byte) *name {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.nameLocked(of, text)
}

func (k *known) nameLocked(of kind, text []byte) *name {
	if n, ok := k.names[of][string(text)]; ok {
		return n
	}
	n := &name{of, string(text)}
	k.names[of][n.text] = n
	return n
}

func (k *known) version(text []byte) *string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if v, ok := k.versions[string(text)]; ok {
		return v
	}
	v := string(text)
	k.versions[v] = &v
	return &v
}

// resource returns the parsed resource in an Any of a type.
func (k *known) resource(of kind, value []byte) (*resource, error) {
	hash := mesh.Hash(value)
	k.mu.Lock()
	defer k.mu.Unlock()
	if r, ok := k.resources[hash]; ok {
		return r, nil
	}
	r := &resource{hash: hash}
	if of == clusters || of == listeners {
		refs, err := fakexds.References(&anypb.Any{TypeUrl: urls[of], Value: value})
		if err != nil {
			return nil, err
		}
		for url, names := range refs {
			to, ok := kindOf([]byte(url))
			if !ok || to == clusters {
				continue
			}
			for _, text := range names {
				r.refs = append(r.refs, k.nameLocked(to, []byte(text)))
			}
		}
	}
	k.resources[hash] = r
	return r, nil
}
