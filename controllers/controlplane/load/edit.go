package load

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Kinds are the kinds of objects that make up a mesh, with what each is called in a catalog.
func Kinds(mesh string, scheme *runtime.Scheme) (map[schema.GroupKind]catalog.Kind, error) {
	kinds := map[schema.GroupKind]catalog.Kind{}
	for _, source := range sources(mesh) {
		kind, err := apiutil.GVKForObject(source.Object, scheme)
		if err != nil {
			return nil, err
		}
		kinds[kind.GroupKind()] = source.Kind
	}
	return kinds, nil
}

// Clone is the same mesh in a catalog of its own, for trying out what an edit would do.
func (l *Loaded) Clone() *Loaded {
	copied := &Loaded{
		Catalog: catalog.New(), Names: maps.Clone(l.Names), Entries: maps.Clone(l.Entries), Findings: slices.Clone(l.Findings),
	}
	changes := make([]catalog.Change, 0, len(l.Entries))
	for _, entry := range l.Entries {
		changes = append(changes, catalog.Set(entry))
	}
	copied.Catalog.Apply(changes)
	return copied
}

// Edit puts objects into the mesh, in the place of those with the same names, and takes others away. It answers with what that
// touched. Objects of kinds that say nothing to a mesh are passed over.
func (l *Loaded) Edit(mesh string, scheme *runtime.Scheme, put, remove []*unstructured.Unstructured) ([]catalog.Dep, error) {
	touched := map[catalog.Dep]struct{}{}
	removed, added := sorted(remove), sorted(put)
	for _, source := range sources(mesh) {
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
	return slices.SortedFunc(maps.Keys(touched), catalog.Dep.Compare), nil
}

func (l *Loaded) replace(source controlplane.Source, object named, touched map[catalog.Dep]struct{}) error {
	var next reading
	if err := next.read(source, object); err != nil {
		return err
	}
	if next.entry == nil {
		l.remove(source, object, touched)
	} else {
		l.apply(catalog.Set(next.entry), touched)
	}
	l.forget(source.Kind, object.Name)
	l.add(source.Kind, object.Name, next) // once more, which touches nothing
	return nil
}

func (l *Loaded) remove(source controlplane.Source, object named, touched map[catalog.Dep]struct{}) {
	name := object.Name
	l.forget(source.Kind, name)
	delete(l.Names, catalog.Ref{Kind: source.Kind, Name: name})
	if source.Kind == catalog.KindSettings && name.Name != names.MeshConfig {
		return // it has no entry, and the one that counts stays
	}
	ref := refOf(source.Kind, name)
	delete(l.Entries, ref)
	l.apply(catalog.Change{Ref: ref}, touched)
}

// forget drops the findings about an object.
func (l *Loaded) forget(kind catalog.Kind, name catalog.Name) {
	l.Findings = slices.DeleteFunc(l.Findings, func(f Finding) bool { return f.Kind == kind && f.Name == name })
}

func (l *Loaded) apply(change catalog.Change, touched map[catalog.Dep]struct{}) {
	for _, dep := range l.Catalog.Apply([]catalog.Change{change}) {
		touched[dep] = struct{}{}
	}
}

// refOf names the entry of an object: a namespace is the Namespace part of its name, and settings have none.
func refOf(kind catalog.Kind, name catalog.Name) catalog.Ref {
	switch kind {
	case catalog.KindNamespace:
		return catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: name.Name}}
	case catalog.KindSettings:
		return catalog.Ref{Kind: kind}
	}
	return catalog.Ref{Kind: kind, Name: name}
}
