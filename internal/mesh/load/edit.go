package load

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// Kinds returns the kinds of objects that define a mesh, with their catalog kinds.
func Kinds(mesh string, scheme *runtime.Scheme) (map[schema.GroupKind]entity.Kind, error) {
	kinds := map[schema.GroupKind]entity.Kind{}
	for _, source := range Sources(mesh) {
		kind, err := apiutil.GVKForObject(source.Object, scheme)
		if err != nil {
			return nil, err
		}
		kinds[kind.GroupKind()] = source.Kind
	}
	return kinds, nil
}

// Clone returns a copy of the mesh with its own catalog, to which edits can be applied.
func (l *Loaded) Clone() *Loaded {
	copied := &Loaded{
		Catalog: catalog.New(), Names: maps.Clone(l.Names), Entries: maps.Clone(l.Entries), Findings: slices.Clone(l.Findings),
	}
	changes := make([]catalog.Change, 0, len(l.Names))
	for object := range l.Names {
		changes = append(changes, catalog.Set(l.unread(object)))
	}
	for _, entry := range l.Entries {
		changes = append(changes, catalog.Set(entry))
	}
	copied.Catalog.Apply(changes)
	return copied
}

// Add adds entries that no object has, such as what peers offer.
func (l *Loaded) Add(entries []catalog.Entry) {
	for _, entry := range entries {
		l.Entries[entry.Ref()] = entry
		l.Catalog.Apply([]catalog.Change{catalog.Set(entry)})
	}
}

// unread returns the entry of an object without a usable part.
func (l *Loaded) unread(object entity.Ref) *catalog.Unread {
	unread := &catalog.Unread{Object: kinds.RefOf(object.Kind, object.Name)}
	at := slices.IndexFunc(l.Findings, func(f Finding) bool { return f.Kind == object.Kind && f.Name == object.Name })
	if at >= 0 {
		unread.Problem = l.Findings[at].Message
	}
	return unread
}

// Edit adds or replaces the objects in put and deletes those in remove. It returns the dependencies that changed. Objects
// of other kinds are ignored.
func (l *Loaded) Edit(mesh string, scheme *runtime.Scheme, put, remove []*unstructured.Unstructured) ([]entity.Dep, error) {
	touched := map[entity.Dep]struct{}{}
	removed, added := sortByKind(remove), sortByKind(put)
	for _, source := range Sources(mesh) {
		kind, err := apiutil.GVKForObject(source.Object, scheme)
		if err != nil {
			return nil, err
		}
		for _, object := range removed[kind.GroupKind()] {
			l.remove(source, object, touched)
		}
		for _, object := range added[kind.GroupKind()] {
			if err := l.replace(source, object, touched); err != nil {
				return nil, err
			}
		}
	}
	for _, dep := range l.assumeCertificates() {
		touched[dep] = struct{}{}
	}
	return slices.SortedFunc(maps.Keys(touched), entity.Dep.Compare), nil
}

func (l *Loaded) replace(source kinds.Source, object namedObject, touched map[entity.Dep]struct{}) error {
	var next conversion
	if err := next.convert(source, object); err != nil {
		return err
	}
	if next.entry == nil {
		l.remove(source, object, touched)
	} else {
		l.apply(catalog.Set(next.entry), touched)
	}
	l.dropFindings(source.Kind, object.Name)
	l.add(source.Kind, object.Name, next) // applying the entry again has no effect
	return nil
}

func (l *Loaded) remove(source kinds.Source, object namedObject, touched map[entity.Dep]struct{}) {
	name := object.Name
	l.dropFindings(source.Kind, name)
	delete(l.Names, entity.Ref{Kind: source.Kind, Name: name})
	ref := kinds.RefOf(source.Kind, name)
	delete(l.Entries, ref)
	l.apply(catalog.Change{Ref: ref}, touched)
}

// dropFindings removes the findings about an object.
func (l *Loaded) dropFindings(kind entity.Kind, name entity.Name) {
	l.Findings = slices.DeleteFunc(l.Findings, func(f Finding) bool { return f.Kind == kind && f.Name == name })
}

func (l *Loaded) apply(change catalog.Change, touched map[entity.Dep]struct{}) {
	for _, dep := range l.Catalog.Apply([]catalog.Change{change}) {
		touched[dep] = struct{}{}
	}
}
