package plan

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

// Subject is the mesh to edit.
type Subject struct {
	// Mesh is the name of the mesh, Namespace the namespace of its control plane and MeshConfig.
	Mesh, Namespace string
	// TrustDomain and Root (PEM) are part of the sidecar configuration. Without Root, only the byte counts are lower.
	TrustDomain string
	Root        []byte
	Scheme      *runtime.Scheme
	// Objects are the objects of the mesh before the edit.
	Objects []*unstructured.Unstructured
}

// Plan is the effect of an edit.
type Plan struct {
	// Objects lists the changed objects.
	Objects []Object `json:"objects"`
	compare.Changes
}

// Rejected returns true if the mesh would reject an object.
func (p *Plan) Rejected() bool {
	return slices.ContainsFunc(p.Objects, func(o Object) bool { return len(o.Rejections) > 0 })
}

// Make computes the effect of an edit.
func Make(s Subject, e *Edit) (*Plan, error) {
	before, err := load.FromObjects(s.Mesh, s.Scheme, s.Objects)
	if err != nil {
		return nil, err
	}
	return Compare(s, before, e)
}

// Compare is like Make for a mesh that is already loaded.
func Compare(s Subject, before *load.Loaded, e *Edit) (*Plan, error) {
	after := before.Clone()
	touched, err := after.Edit(s.Mesh, s.Scheme, e.Put, e.Remove)
	if err != nil {
		return nil, err
	}
	subject := compare.Subject{TrustDomain: s.TrustDomain, Root: s.Root, Workloads: workloadsOf(s.Objects, e.Put)}
	changes, err := compare.Meshes(subject, sideOf(before), sideOf(after), touched)
	if err != nil {
		return nil, err
	}
	changes.Unavailable = append(slices.Clone(e.Unknown), changes.Unavailable...)
	return &Plan{Objects: e.withAdmission(), Changes: *changes}, nil
}

func sideOf(l *load.Loaded) compare.Mesh {
	return compare.Mesh{Catalog: l.Catalog, Entries: l.Entries}
}

// withAdmission returns the object changes with the admission result.
func (e *Edit) withAdmission() []Object {
	put := map[string]*unstructured.Unstructured{}
	for _, object := range e.Put {
		put[Object{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}.String()] = object
	}
	list := make([]Object, 0, len(e.Objects))
	for _, o := range e.Objects {
		if object := put[o.String()]; object != nil && o.Action != Removed {
			o.Rejections, o.Warnings = validate.Split(validate.Object(object))
		}
		list = append(list, o)
	}
	return list
}

// workloadsOf maps pods to their workloads. Later lists take precedence.
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
