package mesh

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"slices"
	"strings"

	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// ResourceKey is the type and name of a resource.
type ResourceKey struct{ TypeURL, Name string }

// Resource is a marshalled resource of a sidecar.
type Resource struct {
	ResourceKey
	Message proto.Message
	// Value is the marshalled message, and Hash its hash.
	Value []byte
	Hash  uint64
}

// SecretType is the type of the one resource that the Oracle does not compute, the certificate of a workload.
const SecretType = resource.SecretType

// seed makes hashes comparable within one process.
var seed = maphash.MakeSeed()

// Hash returns the hash of a marshalled message, comparable within one process.
func Hash(value []byte) uint64 { return maphash.Bytes(seed, value) }

// Oracle computes the configuration of every sidecar of a mesh in full from the catalog, without the certificates of workloads.
type Oracle struct {
	mesh    *Mesh
	catalog *catalog.Catalog
	rootPEM []byte
}

// NewOracle returns an Oracle for a mesh before its first change. The trust bundle is in PEM.
func NewOracle(m *Mesh, rootPEM []byte) *Oracle {
	o := &Oracle{mesh: m, catalog: catalog.New(), rootPEM: rootPEM}
	entries := m.Entries()
	changes := make([]catalog.Change, len(entries))
	for i, entry := range entries {
		changes[i] = catalog.Set(entry)
	}
	o.catalog.Apply(changes)
	return o
}

// Resources returns all resources of the sidecars of a service. Sidecars that load destinations have those of the services that they call.
func (o *Oracle) Resources(service int) ([]Resource, error) {
	list, err := o.translate(o.scope(service))
	destinations := o.mesh.Destinations(service * PodsPerService)
	return slices.DeleteFunc(list, func(r Resource) bool {
		return scope.IsOnDemandName(r.Name) && !slices.Contains(destinations, r.Name)
	}), err
}

// translate returns the resources of a scope.
func (o *Oracle) translate(s *scope.Scope) ([]Resource, error) {
	list, err := marshal(append(envoy.Build(s), envoy.TrustSecrets(s, o.rootPEM)...))
	if err != nil {
		return nil, err
	}
	for _, c := range s.Clusters {
		r, err := o.endpoints(c)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// Apply applies a change and returns, by service, the new or changed resources that its sidecars must receive. No change removes
// resources.
func (o *Oracle) Apply(c Change) (map[int][]Resource, error) {
	if c.Endpoints != (entity.Name{}) {
		return o.applyEndpoints(c)
	}
	exact := c.Candidates
	if c.Added != (entity.Name{}) && o.mesh.Mode == Visible {
		exact = exact[:1] // where everybody sees everything, the destinations of one are those of all
	}
	before := map[int][]Resource{}
	for _, service := range exact {
		var err error
		if before[service], err = o.Resources(service); err != nil {
			return nil, err
		}
	}
	o.catalog.Apply(c.Changes)
	differences := map[int][]Resource{}
	for _, service := range exact {
		after, err := o.Resources(service)
		if err != nil {
			return nil, err
		}
		if diff := difference(before[service], after); len(diff) > 0 {
			differences[service] = diff
		}
	}
	if len(exact) == len(c.Candidates) {
		return differences, nil
	}
	return differences, o.destination(c, differences)
}

// applyEndpoints is Apply for endpoints, which are the same for all sidecars.
func (o *Oracle) applyEndpoints(c Change) (map[int][]Resource, error) {
	o.catalog.Apply(c.Changes)
	cluster := scope.Cluster{Service: c.Endpoints, TargetPort: containerPort}
	if o.mesh.Mode == OnDemand {
		cluster.Destination = netip.AddrPortFrom(o.catalog.View().Service(c.Endpoints).ClusterIPs[0], servicePort)
	}
	cluster.Endpoints = scope.EndpointsKey{Service: c.Endpoints, TargetPort: containerPort, Destination: cluster.Destination}
	r, err := o.endpoints(cluster)
	if err != nil {
		return nil, err
	}
	differences := map[int][]Resource{}
	for _, service := range c.Candidates {
		differences[service] = []Resource{r}
	}
	return differences, nil
}

// destination adds the resources of a new destination, which are the same for all candidates.
func (o *Oracle) destination(c Change, differences map[int][]Resource) error {
	first := differences[c.Candidates[0]]
	names := make(map[ResourceKey]bool, len(first))
	for _, r := range first {
		names[r.ResourceKey] = true
	}
	s := *o.scope(c.Candidates[0])
	s.Inbound = nil
	s.Outbound = slices.DeleteFunc(slices.Clone(s.Outbound), func(out scope.Outbound) bool { return out.Service != c.Added })
	s.Clusters = slices.DeleteFunc(slices.Clone(s.Clusters), func(cl scope.Cluster) bool { return cl.Service != c.Added })
	for _, service := range c.Candidates[1:] {
		s.Key.Identity = Account(service)
		list, err := o.translate(&s)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(r Resource) bool { return !names[r.ResourceKey] })
		if len(list) != len(first) {
			return fmt.Errorf("service %d is told %d resources of %s, another %d", service, len(list), c.Added, len(first))
		}
		differences[service] = list
	}
	return nil
}

func (o *Oracle) scope(service int) *scope.Scope {
	view := o.catalog.View()
	return scope.Build(view, TrustDomain, scope.KeyFor(view, o.mesh.Pod(service*PodsPerService)))
}

func (o *Oracle) endpoints(c scope.Cluster) (Resource, error) {
	list, err := marshal([]envoy.Resource{envoy.Endpoints(c.Name(), scope.BuildEndpoints(o.catalog.View(), c.Endpoints))})
	if err != nil {
		return Resource{}, err
	}
	return list[0], nil
}

func marshal(resources []envoy.Resource) ([]Resource, error) {
	list := make([]Resource, len(resources))
	for i, r := range resources {
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Message)
		if err != nil {
			return nil, fmt.Errorf("resource %s does not marshal: %w", r.Name, err)
		}
		list[i] = Resource{ResourceKey: ResourceKey{r.TypeURL, r.Name}, Message: r.Message, Value: value, Hash: Hash(value)}
	}
	return list, nil
}

// difference returns the resources that are not in before with the same content, sorted. The endpoints of a changed cluster are among them: an Envoy
// does not use the cluster before they have arrived again.
func difference(before, after []Resource) []Resource {
	held := make(map[ResourceKey]uint64, len(before))
	for _, r := range before {
		held[r.ResourceKey] = r.Hash
	}
	changed := make(map[ResourceKey]bool, len(after))
	for _, r := range after {
		hash, ok := held[r.ResourceKey]
		changed[r.ResourceKey] = !ok || hash != r.Hash
	}
	var diff []Resource
	for _, r := range after {
		if changed[r.ResourceKey] || r.TypeURL == resource.EndpointType && changed[ResourceKey{resource.ClusterType, r.Name}] {
			diff = append(diff, r)
		}
	}
	slices.SortFunc(diff, func(a, b Resource) int {
		return strings.Compare(a.TypeURL+"\x00"+a.Name, b.TypeURL+"\x00"+b.Name)
	})
	return diff
}

// ClusterName returns the name of a service's cluster, which is also the name of its endpoints.
func ClusterName(service int) string {
	return scope.Cluster{Service: name(service), TargetPort: containerPort}.Name()
}
