package analyze

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Mesh is what is analysed.
type Mesh struct {
	// Name is the mesh's, Namespace that of its control plane.
	Name, Namespace string
	Loaded          *load.Loaded
	// Objects are those that Loaded was made of.
	Objects []*unstructured.Unstructured
	// Others are objects of kinds that a mesh does not act on, where they were found.
	Others []*unstructured.Unstructured
	// Meshes are the names of all meshes; nil when that is not known.
	Meshes []string
	// Revision is the MeshRevision whose sidecars are current; empty when that is not known.
	Revision string
	// Partial is true for files, which need not hold everything: what has no like in a namespace is not missed there.
	Partial bool
	Now     time.Time
}

// analysis is an analysis under way.
type analysis struct {
	mesh   Mesh
	view   *catalog.View
	codes  map[string]Code
	found  map[Finding]bool
	hidden map[Finding]bool
	// objects are the objects by what the catalog calls their kinds.
	objects map[catalog.Ref]*unstructured.Unstructured
	unread  []string
	// current are the versions in which policies and settings are stored, idle the kinds that are not acted on, and policies the
	// kinds of policies.
	current  map[schema.GroupKind]string
	idle     []schema.GroupKind
	policies map[catalog.Kind]bool
}

// subject is the object that a finding is about.
type subject struct {
	kind, namespace, name string
	// object has the annotations that hide findings; nil when it is not at hand.
	object *unstructured.Unstructured
}

// Run looks at everything that the mesh's objects tell.
func Run(m Mesh) *Report {
	a := newAnalysis(m)
	a.look()
	return a.result()
}

// Cluster is Run for a mesh of a cluster, and looks at what runs the mesh there, too. What may not be read is told.
func Cluster(ctx context.Context, c client.Client, m Mesh) *Report {
	a := newAnalysis(m)
	a.mesh.Others = append(a.mesh.Others, a.foreign(ctx, c)...)
	a.look()
	a.declared(ctx, c)
	a.trust(ctx, c)
	a.admission(ctx, c)
	return a.result()
}

func (a *analysis) look() {
	for _, look := range []func(){
		a.own, a.targets, a.routes, a.splits, a.retries, a.settings, a.conflicts, a.acting, a.workloads, a.services, a.namespaces,
	} {
		look()
	}
}

func newAnalysis(m Mesh) *analysis {
	a := &analysis{
		mesh: m, view: m.Loaded.Catalog.View(), codes: map[string]Code{},
		found: map[Finding]bool{}, hidden: map[Finding]bool{}, objects: map[catalog.Ref]*unstructured.Unstructured{},
		current: currentVersions(), idle: NotActedOn(), policies: map[catalog.Kind]bool{},
	}
	for kind := range a.current {
		a.policies[catalog.Kind(kind.Kind)] = kind.Kind != "MeshConfig"
	}
	for _, code := range Codes() {
		a.codes[code.ID] = code
	}
	for _, object := range m.Objects {
		kind := catalog.Kind(object.GetKind())
		if kind == "MeshConfig" {
			kind = catalog.KindSettings
		}
		a.objects[catalog.Ref{Kind: kind, Name: catalog.Name{Namespace: object.GetNamespace(), Name: object.GetName()}}] = object
	}
	return a
}

func (a *analysis) result() *Report {
	r := &Report{Findings: slices.SortedFunc(maps.Keys(a.found), Finding.compare), Suppressed: len(a.hidden), Unread: a.unread, Objects: len(a.mesh.Objects) + len(a.mesh.Others)}
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	return r
}

// report notes a finding, unless its object hides it.
func (a *analysis) report(code string, severity Severity, s subject, message string) {
	if !a.concerns(code, s) {
		return
	}
	f := Finding{Code: code, Severity: severity, Kind: s.kind, Namespace: s.namespace, Name: s.name, Message: message}
	if ignores(s.object, code) {
		a.hidden[f] = true
		return
	}
	a.found[f] = true
}

// concerns says whether a finding is the business of this mesh. Of objects in namespaces outside it that is only what makes the
// author of a policy look, and nothing of what belongs to another mesh.
func (a *analysis) concerns(code string, s subject) bool {
	if s.namespace == "" || s.namespace == a.mesh.Namespace || a.view.InMesh(s.namespace) {
		return true
	}
	if mesh := a.meshOf(s.namespace); mesh != a.mesh.Name && slices.Contains(a.mesh.Meshes, mesh) {
		return false
	}
	return s.kind == "Retry" || code == codeOutsideMesh || a.policies[catalog.Kind(s.kind)] && strings.HasPrefix(code, ownPrefix)
}

// meshOf is the mesh that a namespace is labelled for.
func (a *analysis) meshOf(namespace string) string {
	if object := a.objects[catalog.Ref{Kind: catalog.KindNamespace, Name: catalog.Name{Name: namespace}}]; object != nil {
		return object.GetLabels()[names.MonitoredByLabel]
	}
	return ""
}

// add notes a finding with the severity of its code.
func (a *analysis) add(code string, s subject, format string, args ...any) {
	a.report(code, a.codes[code].Severity, s, fmt.Sprintf(format, args...))
}

// subject is the object that an entry was read from.
func (a *analysis) subject(kind catalog.Kind, name catalog.Name) subject {
	if object := a.objects[catalog.Ref{Kind: kind, Name: name}]; object != nil {
		return subjectOf(object)
	}
	return subject{kind: string(kind), namespace: name.Namespace, name: name.Name}
}

func subjectOf(object *unstructured.Unstructured) subject {
	return subject{kind: object.GetKind(), namespace: object.GetNamespace(), name: object.GetName(), object: object}
}

// entries are all entries of a kind, in order of their names.
func entries[E catalog.Entry](a *analysis) []E {
	var list []E
	for _, entry := range a.mesh.Loaded.Entries {
		if e, ok := entry.(E); ok {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(x, y E) int { return x.Ref().Compare(y.Ref()) })
	return list
}

// exists says whether there is an object of that name, whatever is wrong with it.
func (a *analysis) exists(kind catalog.Kind, name catalog.Name) bool {
	_, there := a.mesh.Loaded.Names[catalog.Ref{Kind: kind, Name: name}]
	return there
}

// missing says whether an object does not exist. Of files it is said only about a namespace for which they have some of the kind.
func (a *analysis) missing(kind catalog.Kind, name catalog.Name) bool {
	return !a.exists(kind, name) && (!a.mesh.Partial || a.has(kind, name.Namespace))
}

// has says whether there is any object of a kind in a namespace.
func (a *analysis) has(kind catalog.Kind, namespace string) bool {
	for ref := range a.mesh.Loaded.Names {
		if ref.Kind == kind && ref.Name.Namespace == namespace {
			return true
		}
	}
	return false
}

func (a *analysis) noAccount(sa identity.ServiceAccount) bool {
	return a.missing(catalog.KindServiceAccount, catalog.Name(sa))
}
