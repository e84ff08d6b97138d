package plan

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	compared "github.com/openservicemesh/osm-operator/internal/plan"
	"github.com/openservicemesh/osm-operator/internal/validate"
)

// Subject is the mesh that an edit is about.
type Subject struct {
	// Mesh is its name, Namespace that of its control plane, whose MeshConfig counts.
	Mesh, Namespace string
	// TrustDomain and Root (PEM) go into what sidecars are sent; an empty Root only makes the plan's bytes fewer.
	TrustDomain string
	Root        []byte
	Scheme      *runtime.Scheme
	// Objects are those that make up the mesh, before the edit.
	Objects []*unstructured.Unstructured
}

// Plan is what an edit would do.
type Plan struct {
	// Objects are the changes of objects.
	Objects []Object `json:"objects"`
	compared.Changes
}

// Refused says whether the mesh would refuse one of the objects.
func (p *Plan) Refused() bool {
	return slices.ContainsFunc(p.Objects, func(o Object) bool { return len(o.Refusals) > 0 })
}

// Make works out what an edit would do.
func Make(s Subject, e *Edit) (*Plan, error) {
	before, err := load.FromObjects(s.Mesh, s.Scheme, s.Objects)
	if err != nil {
		return nil, err
	}
	return Compare(s, before, e)
}

// Compare is Make for a mesh that is loaded already.
func Compare(s Subject, before *load.Loaded, e *Edit) (*Plan, error) {
	after := before.Clone()
	touched, err := after.Edit(s.Mesh, s.Scheme, e.Put, e.Remove)
	if err != nil {
		return nil, err
	}
	subject := compared.Subject{TrustDomain: s.TrustDomain, Root: s.Root, Workloads: workloadsOf(s.Objects, e.Put)}
	changes, err := compared.Compare(subject, sideOf(before), sideOf(after), touched)
	if err != nil {
		return nil, err
	}
	changes.Unknown = append(slices.Clone(e.Unknown), changes.Unknown...)
	return &Plan{Objects: e.judged(), Changes: *changes}, nil
}

func sideOf(l *load.Loaded) compared.Mesh {
	return compared.Mesh{Catalog: l.Catalog, Entries: l.Entries}
}

// judged are the changes of objects with the problems that the mesh would find in them.
func (e *Edit) judged() []Object {
	put := map[string]*unstructured.Unstructured{}
	for _, object := range e.Put {
		put[Object{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}.String()] = object
	}
	list := make([]Object, 0, len(e.Objects))
	for _, o := range e.Objects {
		if object := put[o.String()]; object != nil && o.Action != Removed {
			o.Refusals, o.Warnings = validate.Split(validate.Object(object))
		}
		list = append(list, o)
	}
	return list
}

// workloadsOf are the workloads of all pods among the objects; later ones count.
func workloadsOf(lists ...[]*unstructured.Unstructured) map[catalog.Name]string {
	all := map[catalog.Name]string{}
	for _, objects := range lists {
		for _, object := range objects {
			if object.GetKind() == "Pod" {
				all[catalog.Name{Namespace: object.GetNamespace(), Name: object.GetName()}] = manifests.OwnerOf(object).String()
			}
		}
	}
	return all
}
