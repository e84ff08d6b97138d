package load

import (
	"fmt"
	"reflect"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Loaded is a mesh at one point in time.
type Loaded struct {
	Catalog *catalog.Catalog
	// Names contains all objects, including those without an entry because of their problems.
	Names map[entity.Ref]struct{}
	// Entries contains the entries of the objects.
	Entries map[entity.Ref]catalog.Entry
	// Findings contains the problems of the objects, ordered by kind and name.
	Findings []Finding
}

// Finding is a problem of one object.
type Finding struct {
	Kind entity.Kind
	Name entity.Name
	ingest.Problem
}

// Sources returns the Sources of all kinds that define a mesh, MeshConfig last.
func Sources(mesh string) []kinds.Source {
	return slices.Concat(kinds.Workloads(mesh), kinds.Optional(mesh),
		[]kinds.Source{kinds.MeshConfig(func(*configv1alpha2.MeshConfig) {})})
}

// FromObjects builds a mesh from objects. It ignores objects of other kinds, and treats every version as the stored
// version. Several goroutines read the objects concurrently.
func FromObjects(mesh string, scheme *runtime.Scheme, objects []*unstructured.Unstructured) (*Loaded, error) {
	kinds := sortByKind(objects)
	all := Sources(mesh)
	lists, results := make([][]namedObject, len(all)), make([][]conversion, len(all))
	group := errgroup.Group{}
	for i, source := range all {
		kind, err := apiutil.GVKForObject(source.Object, scheme)
		if err != nil {
			return nil, err
		}
		list := kinds[kind.GroupKind()]
		lists[i] = list
		results[i] = make([]conversion, len(list))
		for start := 0; start < len(list); start += batchSize {
			group.Go(func() error {
				for j := start; j < min(start+batchSize, len(list)); j++ {
					if err := results[i][j].convert(source, list[j]); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	loaded := &Loaded{Catalog: catalog.New(), Names: map[entity.Ref]struct{}{}, Entries: map[entity.Ref]catalog.Entry{}}
	for i, source := range all {
		for j, object := range lists[i] {
			loaded.add(source.Kind, object.Name, results[i][j])
		}
	}
	loaded.assumeCertificates()
	return loaded, nil
}

// batchSize is the number of objects that one goroutine reads.
const batchSize = 1000

// namedObject caches the name of an object, which is used often.
type namedObject struct {
	entity.Name
	*unstructured.Unstructured
}

// sortByKind groups objects by kind and sorts each group by name.
func sortByKind(objects []*unstructured.Unstructured) map[schema.GroupKind][]namedObject {
	kinds := map[schema.GroupKind][]namedObject{}
	for _, object := range objects {
		kind := object.GroupVersionKind().GroupKind()
		kinds[kind] = append(kinds[kind], namedObject{entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}, object})
	}
	for _, list := range kinds {
		slices.SortStableFunc(list, func(a, b namedObject) int { return a.Compare(b.Name) })
	}
	return kinds
}

// conversion is the result of ingesting an object. It has no entry if the object is not part of the mesh.
type conversion struct {
	entry    catalog.Entry
	problems []ingest.Problem
}

func (r *conversion) convert(source kinds.Source, object namedObject) error {
	typed, err := kinds.Typed(object.Unstructured, source.Object)
	if err != nil {
		return fmt.Errorf("%w: correct the object", err)
	}
	r.entry, r.problems = source.Ingest(typed)
	return nil
}

// add records the conversion of one object.
func (l *Loaded) add(kind entity.Kind, name entity.Name, r conversion) {
	l.Names[entity.Ref{Kind: kind, Name: name}] = struct{}{}
	for _, problem := range r.problems {
		l.Findings = append(l.Findings, Finding{Kind: kind, Name: name, Problem: problem})
	}
	if r.entry != nil {
		l.Entries[r.entry.Ref()] = r.entry
		l.Catalog.Apply([]catalog.Change{catalog.Set(r.entry)})
		return
	}
	l.Catalog.Apply([]catalog.Change{catalog.Set(l.unread(entity.Ref{Kind: kind, Name: name}))})
}

// Sorted returns the entries of a type that fulfill a condition, sorted.
func Sorted[E catalog.Entry](l *Loaded, condition func(E) bool) []E {
	var list []E
	for _, entry := range l.Entries {
		if e, ok := entry.(E); ok && condition(e) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b E) int { return a.Ref().Compare(b.Ref()) })
	return list
}

// assumedCertificate replaces the content of Secrets and ConfigMaps.
const assumedCertificate = "assumed"

// assumeCertificates adds an entry for each Secret, and each ConfigMap with authorities, that Gateways and Egresses use, and removes the others. It returns the
// dependencies that changed. They are not read, because few users may: they are assumed to have valid certificates that do not change.
func (l *Loaded) assumeCertificates() []entity.Dep {
	used := l.assumedEntries()
	var changes []catalog.Change
	for ref := range l.Entries {
		isSecret := slices.Contains([]entity.Kind{
			entity.KindGatewayCertificate, entity.KindGatewayAuthorities, entity.KindEgressCredential,
			entity.KindBackendAuthorities,
		}, ref.Kind)
		if isSecret && !slices.ContainsFunc(used, func(entry catalog.Entry) bool { return entry.Ref() == ref }) {
			changes = append(changes, catalog.Change{Ref: ref})
			delete(l.Entries, ref)
		}
	}
	for _, entry := range used {
		if !reflect.DeepEqual(l.Entries[entry.Ref()], entry) {
			l.Entries[entry.Ref()] = entry
			changes = append(changes, catalog.Set(entry))
		}
	}
	return l.Catalog.Apply(changes)
}

// assumedEntries are the entries of the Secrets and ConfigMaps in use.
func (l *Loaded) assumedEntries() []catalog.Entry {
	content := []byte(assumedCertificate)
	var entries []catalog.Entry
	for _, name := range gateway.Certificates(l.Catalog.View()) {
		entries = append(entries, &catalog.GatewayCertificate{Name: name, ChainPEM: content, KeyPEM: content})
	}
	for _, name := range gateway.Authorities(l.Catalog.View()) {
		entries = append(entries, &catalog.GatewayAuthorities{Name: name, PEM: content})
	}
	servers, excess := gateway.ServerAuthorities(l.Catalog.View())
	for _, name := range servers {
		if tooMany := excess[name]; tooMany != nil {
			entries = append(entries, tooMany)
		} else {
			entries = append(entries, &catalog.BackendAuthorities{Name: name, PEM: content})
		}
	}
	for _, policy := range l.Catalog.View().GatewayEgresses() {
		if name, ok := policy.Credential(); ok {
			entries = append(entries, &catalog.EgressCredential{Name: name, AuthoritiesPEM: content, ChainPEM: content, KeyPEM: content})
		}
	}
	return entries
}
