package analyze

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/creation"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Mesh is the mesh to analyze.
type Mesh struct {
	// Name is the name of the mesh, Namespace the namespace of its control plane.
	Name, Namespace string
	Loaded          *load.Loaded
	// Objects are the objects in Loaded.
	Objects []*unstructured.Unstructured
	// Others are objects of unsupported kinds.
	Others []*unstructured.Unstructured
	// Meshes are the names of all meshes. It is nil if they are unknown.
	Meshes []string
	// Systems are the namespaces of the control planes of other meshes.
	Systems []string
	// Revision is the active MeshRevision, or empty if it is unknown.
	Revision string
	// Partial is true for files, which may be incomplete. A missing object is only reported if its namespace has others of that kind.
	Partial bool
	// TrustDomain is that of new certificates. Default: cluster.local.
	TrustDomain string
	Now         time.Time
}

// analysis is an analysis in progress.
type analysis struct {
	mesh          Mesh
	view          *catalog.View
	codes         map[string]Code
	found, hidden []diagnosis.Finding
	// objects maps catalog references to objects.
	objects map[entity.Ref]*unstructured.Unstructured
	unread  []string
	// members are the meshes of namespaces, uncreated the workloads whose pods cannot be created.
	members   map[string]string
	uncreated []creation.Failure
	// networkPolicies are those of all namespaces.
	networkPolicies []networkingv1.NetworkPolicy
	// gatewayOff is true if the mesh has no ingress gateway.
	gatewayOff bool
	// current holds the storage versions of policies and settings, idle the unsupported kinds, and policies the policy kinds.
	current  map[schema.GroupKind]string
	idle     []schema.GroupKind
	policies map[entity.Kind]bool
	// anywhere are the kinds that are analyzed in namespaces outside the mesh too.
	anywhere map[string]bool
}

// subject is the object of a finding.
type subject struct {
	kind, namespace, name string
	// object has the annotations that suppress findings. It may be nil.
	object *unstructured.Unstructured
}

// Run analyzes the objects of a mesh.
func Run(m Mesh) *Report {
	a := newAnalysis(m)
	a.look()
	return a.result()
}

// Cluster is like Run, and also analyzes the control plane in the cluster. Objects that cannot be read are listed in the report.
func Cluster(ctx context.Context, c client.Client, m Mesh) *Report {
	a := newAnalysis(m)
	a.mesh.Others = append(a.mesh.Others, a.unsupported(ctx, c)...)
	a.readUncreated(ctx, c)
	a.readGateway(ctx, c)
	a.readNetworkPolicies(ctx, c)
	a.look()
	a.declared(ctx, c)
	a.network(ctx, c)
	a.trust(ctx, c)
	a.admission(ctx, c)
	return a.result()
}

func (a *analysis) look() {
	for _, look := range []func(){
		a.own, a.unknownFields, a.assessed, a.targets, a.routes, a.splits, a.ingress, a.gateways, a.serviceRoutes, a.backendTLSPolicies, a.acting,
		a.workloads, a.reportUncreated, a.isolation, a.services, a.namespaces, a.declaredPorts, a.servers, a.selectors, a.keys, a.classes,
	} {
		look()
	}
}

func newAnalysis(m Mesh) *analysis {
	a := &analysis{
		mesh: m, members: remaining.Members(m.Objects), view: m.Loaded.Catalog.View(), codes: map[string]Code{},
		objects: map[entity.Ref]*unstructured.Unstructured{},
		current: currentVersions(), idle: NotActedOn(), policies: map[entity.Kind]bool{}, anywhere: map[string]bool{},
	}
	for kind := range a.current {
		a.policies[entity.Kind(kind.Kind)] = kind.Kind != "MeshConfig"
	}
	for _, kind := range kinds.All() {
		a.anywhere[kind.Kind] = kind.Anywhere
	}
	for _, code := range Codes() {
		a.codes[code.ID] = code
	}
	for _, object := range m.Objects {
		kind := kinds.EntryKind(object.GroupVersionKind())
		if kind == "MeshConfig" {
			kind = entity.KindSettings
		}
		a.objects[entity.Ref{Kind: kind, Name: entity.Name{Namespace: object.GetNamespace(), Name: object.GetName()}}] = object
	}
	return a
}

func (a *analysis) result() *Report {
	r := &Report{
		Findings: withoutDuplicates(a.found), Suppressed: len(withoutDuplicates(a.hidden)), Unread: a.unread,
		Objects: len(a.mesh.Objects) + len(a.mesh.Others),
	}
	r.namespaces = map[string]bool{}
	for _, object := range a.mesh.Objects {
		name := object.GetNamespace()
		if object.GetKind() == "Namespace" {
			name = object.GetName()
		}
		r.namespaces[name] = a.view.InMesh(name)
	}
	return r
}

// withoutDuplicates sorts findings: two analyses can find the same problem.
func withoutDuplicates(findings []diagnosis.Finding) []diagnosis.Finding {
	slices.SortFunc(findings, diagnosis.Finding.Compare)
	return append([]diagnosis.Finding{}, slices.CompactFunc(findings, diagnosis.Finding.Equal)...)
}

// report adds a finding, unless its object suppresses it.
func (a *analysis) report(code string, severity diagnosis.Severity, s subject, message string) {
	if !a.concerns(code, s) {
		return
	}
	f := diagnosis.Finding{Code: code, Severity: severity, Kind: s.kind, Namespace: s.namespace, Name: s.name, Message: message}
	if ignores(s.object, code) {
		a.hidden = append(a.hidden, f)
		return
	}
	a.found = append(a.found, f)
}

// concerns returns true if a finding is relevant for this mesh. Outside its namespaces, these are only findings about policies that do not
// belong to another mesh.
func (a *analysis) concerns(code string, s subject) bool {
	if s.namespace == "" || s.namespace == a.mesh.Namespace || a.view.InMesh(s.namespace) {
		return true
	}
	if code == codeRemaining {
		return true
	}
	if mesh := a.meshOf(s.namespace); mesh != a.mesh.Name && slices.Contains(a.mesh.Meshes, mesh) {
		return false
	}
	return a.anywhere[s.kind] || code == codeOutsideMesh || a.policies[entity.Kind(s.kind)] && strings.HasPrefix(code, ownPrefix)
}

// meshOf returns the mesh in the label of a namespace.
func (a *analysis) meshOf(namespace string) string {
	if object := a.objects[entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Name: namespace}}]; object != nil {
		return object.GetLabels()[names.MonitoredByLabel]
	}
	return ""
}

// add adds a finding with the severity of its code.
func (a *analysis) add(code string, s subject, format string, args ...any) {
	a.reportf(code, a.codes[code].Severity, s, format, args...)
}

// reportf adds a finding with another severity than that of its code.
func (a *analysis) reportf(code string, severity diagnosis.Severity, s subject, format string, args ...any) {
	a.report(code, severity, s, fmt.Sprintf(format, args...))
}

// subject returns the object of a catalog entry.
func (a *analysis) subject(kind entity.Kind, name entity.Name) subject {
	if object := a.objects[entity.Ref{Kind: kind, Name: name}]; object != nil {
		return subjectOf(object)
	}
	return subject{kind: string(kind), namespace: name.Namespace, name: name.Name}
}

func subjectOf(object *unstructured.Unstructured) subject {
	return subject{kind: string(kinds.EntryKind(object.GroupVersionKind())), namespace: object.GetNamespace(), name: object.GetName(), object: object}
}

// readStatus reads the metadata and the status of the object into its type. It returns false if there is no object, or another status.
func (s subject) readStatus(into any) bool {
	if s.object == nil {
		return false
	}
	content := map[string]any{"metadata": s.object.Object["metadata"], "status": s.object.Object["status"]}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(content, into) == nil
}

// entries returns all entries of a kind, sorted by name.
func entries[E catalog.Entry](a *analysis) []E {
	return load.Sorted(a.mesh.Loaded, func(E) bool { return true })
}

// exists returns true if an object exists, even if it is invalid.
func (a *analysis) exists(kind entity.Kind, name entity.Name) bool {
	_, found := a.mesh.Loaded.Names[entity.Ref{Kind: kind, Name: name}]
	return found
}

// missing returns true if an object does not exist. For files, it also requires another object of the kind in the namespace.
func (a *analysis) missing(kind entity.Kind, name entity.Name) bool {
	return !a.exists(kind, name) && (!a.mesh.Partial || a.has(kind, name.Namespace))
}

// has returns true if a namespace has an object of a kind.
func (a *analysis) has(kind entity.Kind, namespace string) bool {
	for ref := range a.mesh.Loaded.Names {
		if ref.Kind == kind && ref.Name.Namespace == namespace {
			return true
		}
	}
	return false
}

func (a *analysis) noAccount(sa identity.ServiceAccount) bool {
	return a.missing(entity.KindServiceAccount, entity.Name(sa))
}

// Report is the result of an analysis.
type Report struct {
	Findings []diagnosis.Finding `json:"findings"`
	// Suppressed counts the findings that annotations suppress.
	Suppressed int `json:"suppressed"`
	// Unread describes objects that could not be read.
	Unread []string `json:"notRead,omitempty"`
	// Objects counts the analyzed objects.
	Objects int `json:"objects"`

	// namespaces are the namespaces of the analyzed objects. The value is true for those of the mesh.
	namespaces map[string]bool
}

// Namespace reports whether a namespace has analyzed objects, and whether it is part of the mesh.
func (r *Report) Namespace(name string) (exists, member bool) {
	member, exists = r.namespaces[name]
	return exists, member
}

// Keep drops findings below a severity, and findings in other namespaces if namespace is set.
func (r *Report) Keep(least diagnosis.Severity, namespace string) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f diagnosis.Finding) bool {
		elsewhere := namespace != "" && f.Namespace != namespace && (f.Kind != "Namespace" || f.Name != namespace)
		return elsewhere || f.Severity.Compare(least) < 0
	})
}

// ignores returns true if the annotation of an object suppresses a code.
func ignores(object *unstructured.Unstructured, code string) bool {
	if object == nil {
		return false
	}
	for _, ignored := range strings.Split(object.GetAnnotations()[names.AnalyzeIgnoreAnnotation], ",") {
		if ignored = strings.TrimSpace(ignored); ignored == "*" || strings.EqualFold(ignored, code) {
			return true
		}
	}
	return false
}
