package load

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/config"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/workloads"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// Loaded is a mesh as it was at one moment.
type Loaded struct {
	Catalog *catalog.Catalog
	// Names are those of all objects, also of those that have no entry because of their problems.
	Names map[catalog.Ref]struct{}
	// Entries are what the objects were read as.
	Entries map[catalog.Ref]catalog.Entry
	// Findings are the problems of the objects, in order of kinds and names.
	Findings []Finding
}

// Finding is a problem of one object.
type Finding struct {
	Kind catalog.Kind
	Name catalog.Name
	ingest.Problem
}

// sources are all kinds that make up a mesh, MeshConfig last.
func sources(mesh string) []controlplane.Source {
	return slices.Concat(workloads.Sources(mesh), traffic.Sources(), []controlplane.Source{config.Source(func(*configv1alpha2.MeshConfig) {})})
}

// FromCluster reads a mesh whose control plane runs in namespace. Kinds that the cluster does not define are empty.
func FromCluster(ctx context.Context, c client.Client, mesh, namespace string) (*Loaded, error) {
	objects, err := Objects(ctx, c, mesh, namespace)
	if err != nil {
		return nil, err
	}
	return FromObjects(mesh, c.Scheme(), objects)
}

// Objects reads the objects that make up a mesh whose control plane runs in namespace, for FromObjects and for those who look
// at more of an object than the mesh does.
func Objects(ctx context.Context, c client.Client, mesh, namespace string) ([]*unstructured.Unstructured, error) {
	all := sources(mesh)
	lists := make([][]unstructured.Unstructured, len(all))
	group, ctx := errgroup.WithContext(ctx)
	for i, source := range all {
		group.Go(func() error {
			items, err := list(ctx, c, source, namespace)
			lists[i] = items
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, items := range lists {
		for i := range items {
			objects = append(objects, &items[i])
		}
	}
	return objects, nil
}

// list reads all objects of a kind; of MeshConfigs only those of the mesh's own namespace.
func list(ctx context.Context, c client.Client, source controlplane.Source, namespace string) ([]unstructured.Unstructured, error) {
	kind, err := c.GroupVersionKindFor(source.Object)
	if err != nil {
		return nil, err
	}
	var options []client.ListOption
	if source.Kind == catalog.KindSettings {
		options = append(options, client.InNamespace(namespace))
	}
	all := &unstructured.UnstructuredList{}
	all.SetGroupVersionKind(kind)
	err = c.List(ctx, all, options...)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	for i := range all.Items {
		all.Items[i].SetGroupVersionKind(kind)
	}
	return all.Items, err
}

// FromObjects makes a mesh of objects. Objects of kinds that say nothing to a mesh are passed over; a version counts as the one
// that is stored. The objects are read by several goroutines at a time.
func FromObjects(mesh string, scheme *runtime.Scheme, objects []*unstructured.Unstructured) (*Loaded, error) {
	kinds := sorted(objects)
	all := sources(mesh)
	lists, results := make([][]named, len(all)), make([][]reading, len(all))
	group := errgroup.Group{}
	for i, source := range all {
		kind, err := apiutil.GVKForObject(source.Object, scheme)
		if err != nil {
			return nil, err
		}
		list := kinds[kind.GroupKind()]
		lists[i] = list
		results[i] = make([]reading, len(list))
		for begin := 0; begin < len(list); begin += portion {
			group.Go(func() error {
				for j := begin; j < min(begin+portion, len(list)); j++ {
					if err := results[i][j].read(source, list[j]); err != nil {
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
	loaded := empty()
	for i, source := range all {
		for j, object := range lists[i] {
			loaded.add(source.Kind, object.Name, results[i][j])
		}
	}
	return loaded, nil
}

// portion is how many objects of a kind a goroutine reads.
const portion = 1000

// named is an object with its name, which is looked up too often to be dug out of the object each time.
type named struct {
	catalog.Name
	*unstructured.Unstructured
}

// sorted are objects by kind, in order of their names.
func sorted(objects []*unstructured.Unstructured) map[schema.GroupKind][]named {
	kinds := map[schema.GroupKind][]named{}
	for _, object := range objects {
		kind := object.GroupVersionKind().GroupKind()
		kinds[kind] = append(kinds[kind], named{catalog.Name{Namespace: object.GetNamespace(), Name: object.GetName()}, object})
	}
	for _, list := range kinds {
		slices.SortStableFunc(list, func(a, b named) int { return a.Compare(b.Name) })
	}
	return kinds
}

// reading is what an object was read as; without an entry when it has no place in the mesh.
type reading struct {
	entry    catalog.Entry
	problems []ingest.Problem
}

func (r *reading) read(source controlplane.Source, object named) error {
	typed, err := controlplane.Typed(object.Unstructured, source.Object)
	if err != nil {
		return fmt.Errorf("%w: correct the object", err)
	}
	r.entry, r.problems = source.Ingest(typed)
	return nil
}

// add brings one object into the catalog.
func (l *Loaded) add(kind catalog.Kind, name catalog.Name, r reading) {
	l.Names[catalog.Ref{Kind: kind, Name: name}] = struct{}{}
	for _, problem := range r.problems {
		l.Findings = append(l.Findings, Finding{Kind: kind, Name: name, Problem: problem})
	}
	if r.entry != nil {
		l.Entries[r.entry.Ref()] = r.entry
		l.Catalog.Apply([]catalog.Change{catalog.Set(r.entry)})
	}
}

func empty() *Loaded {
	return &Loaded{Catalog: catalog.New(), Names: map[catalog.Ref]struct{}{}, Entries: map[catalog.Ref]catalog.Entry{}}
}
