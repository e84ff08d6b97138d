package plan

import (
	"reflect"
	"slices"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
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
	// Proxies are the sidecars that would be told something, by workload.
	Proxies []Proxies `json:"proxies"`
	// Sidecars is how many sidecars would be told something, of all that the mesh would have, and Bytes what they would be sent.
	Sidecars    int `json:"sidecars"`
	AllSidecars int `json:"allSidecars"`
	Bytes       int `json:"bytes"`
	// Flows are those that would be newly denied or newly allowed.
	Flows []Flow `json:"flows"`
	// Unknown are parts of the answer that are not computed, each a sentence.
	Unknown []string `json:"notComputed,omitempty"`
}

// Empty says whether the edit would change nothing that a sidecar or an application notices.
func (p *Plan) Empty() bool { return len(p.Proxies) == 0 && len(p.Flows) == 0 }

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
	p := &Plan{Objects: e.judged(), Proxies: []Proxies{}, Flows: []Flow{}, Unknown: e.Unknown}
	return p, p.compare(s, before, after, touched, workloadsOf(s.Objects, e.Put))
}

// compare works out what differs between two meshes. touched are the dependencies that lead from one to the other.
func (p *Plan) compare(s Subject, before, after *load.Loaded, touched []catalog.Dep, workloads map[catalog.Name]manifests.Workload) error {
	if len(touched) == 0 {
		return nil
	}
	c := &comparison{before: newSide(before.Catalog, s), after: newSide(after.Catalog, s), touched: map[catalog.Dep]bool{}, results: map[move]difference{}}
	for _, dep := range touched {
		c.touched[dep] = true
	}
	c.commonDiffers = !reflect.DeepEqual(c.before.common, c.after.common)
	// Both halves only read the catalogs.
	var flows *flows
	var group sync.WaitGroup
	group.Go(func() {
		flows = newFlows(before, after)
		p.Flows = append(p.Flows, flows.compare()...)
	})
	proxies, all, err := c.proxies(before, after, workloads)
	group.Wait()
	if err != nil {
		return err
	}
	p.count(proxies, all)
	p.Unknown = append(p.Unknown, flows.unknown()...)
	return nil
}

func (p *Plan) count(proxies []Proxies, all int) {
	p.Proxies = append(p.Proxies, proxies...)
	p.AllSidecars = all
	for _, one := range proxies {
		if one.State != Removed {
			p.Sidecars += one.Sidecars
			p.Bytes += one.Sidecars * one.Bytes
		}
	}
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
func workloadsOf(lists ...[]*unstructured.Unstructured) map[catalog.Name]manifests.Workload {
	all := map[catalog.Name]manifests.Workload{}
	for _, objects := range lists {
		for _, object := range objects {
			if object.GetKind() == "Pod" {
				all[catalog.Name{Namespace: object.GetNamespace(), Name: object.GetName()}] = manifests.OwnerOf(object)
			}
		}
	}
	return all
}

func itoa(n int) string { return strconv.Itoa(n) }
