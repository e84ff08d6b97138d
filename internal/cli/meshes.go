package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// mesh is a mesh of the cluster.
type mesh struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Version   string `json:"version"`
	// Desired is the version that the mesh should run. It is empty if the operator has not selected one.
	Desired string `json:"desiredVersion,omitempty"`
	// Ready is True, False or Unknown. It is empty without a Mesh object.
	Ready   string   `json:"ready,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Message string   `json:"message,omitempty"`
	Members []string `json:"namespaces"`
	// Canary is the version of the canary control plane, or empty.
	Canary string `json:"canary,omitempty"`
	// Plan is the summary of the plan. It is empty unless the mesh is in mode Plan.
	Plan string `json:"plan,omitempty"`
	// Declared is false for an OSM without a Mesh object.
	Declared bool `json:"declared"`

	// Deleting is true if the Mesh is being deleted.
	Deleting bool `json:"deleting,omitempty"`
	// Components are those that the Mesh enables and that are not ready.
	Components []componentProblem `json:"components,omitempty"`

	// trustDomain is that of new certificates. It is empty if it is unknown.
	trustDomain string
	// canarySuffix is the name suffix of the canary's Deployments.
	canarySuffix string
	// siblings are all meshes of the cluster.
	siblings remaining.Meshes
}

// componentProblem is a component that is not ready.
type componentProblem struct {
	Name    string `json:"name"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// meshResource precedes the name of a Mesh in the output of -o name.
const meshResource = "mesh.operator.openservicemesh.io/"

// meshes returns the meshes of the cluster, sorted by name: those with a Mesh object and those installed by OSM.
func (a *app) meshes(ctx context.Context, c client.Client) ([]mesh, error) {
	var declared v1alpha1.MeshList
	if err := c.List(ctx, &declared); err != nil && !kube.IsUndefined(err) {
		return nil, err
	}
	found := lists.Map(declared.Items, func(m v1alpha1.Mesh) mesh { return fromDeclared(&m) })
	var controllers appsv1.DeploymentList
	err := c.List(ctx, &controllers, client.MatchingLabels{names.AppLabel: names.Controller}, client.HasLabels{names.MeshNameLabel})
	if err != nil && (!apierrors.IsForbidden(err) || len(found) == 0) {
		return nil, err
	}
	for i := range controllers.Items {
		d := &controllers.Items[i]
		name := d.Labels[names.MeshNameLabel]
		if !slices.ContainsFunc(found, func(m mesh) bool { return m.Name == name }) {
			found = append(found, mesh{Name: name, Namespace: d.Namespace, Version: d.Labels[names.VersionLabel]})
		}
	}
	slices.SortFunc(found, func(x, y mesh) int { return strings.Compare(x.Name, y.Name) })
	for i := range found {
		found[i].siblings = siblingsOf(found[i].Name, found)
	}
	return found, a.addMembers(ctx, c, found)
}

// siblingsOf returns all meshes of a cluster, for a mesh that may not exist.
func siblingsOf(name string, all []mesh) remaining.Meshes {
	m := remaining.Meshes{Name: name, All: []string{}}
	for _, one := range all {
		m.All, m.Systems = append(m.All, one.Name), append(m.Systems, one.Namespace)
	}
	return m
}

func fromDeclared(m *v1alpha1.Mesh) mesh {
	found := mesh{
		Name: m.Name, Namespace: cmp.Or(m.Status.Namespace, namespaceOf(m)), Version: cmp.Or(m.Status.Version, ptr.Deref(m.Spec.Version, "")),
		Desired: m.Status.DesiredVersion, Ready: "Unknown", Declared: true,
	}
	found.Deleting = m.DeletionTimestamp != nil
	if m.Status.Certificates != nil {
		found.trustDomain = m.Status.Certificates.TrustDomain
	}
	for _, c := range m.Status.Components {
		if !c.Ready {
			found.Components = append(found.Components, componentProblem{c.Name, c.Reason, c.Message})
		}
	}
	if m.Status.Plan != nil {
		found.Plan = m.Status.Plan.Summary
	}
	addRevisions(&found, m.Status.Revisions, m.Status.Version != "")
	if ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		found.Ready, found.Reason, found.Message = string(ready.Status), ready.Reason, ready.Message
	}
	return found
}

// addRevisions sets the canary from the revisions in status, and the version of the active one, unless it is not ready and runs is true: then
// another version still runs.
func addRevisions(found *mesh, revisions []v1alpha1.RevisionSummary, runs bool) {
	for _, r := range revisions {
		switch r.Role {
		case v1alpha1.RoleActive:
			if r.Ready || !runs {
				found.Version = r.Version
			}
		case v1alpha1.RoleCanary, v1alpha1.RolePromoting:
			found.Canary, found.canarySuffix = r.Version, names.CanarySuffix(found.Name, r.Name)
		}
	}
}

func namespaceOf(m *v1alpha1.Mesh) string {
	return ptr.Deref(m.Spec.Namespace, names.DefaultNamespace)
}

// addMembers sets the member namespaces of each mesh.
func (a *app) addMembers(ctx context.Context, c client.Client, meshes []mesh) error {
	var members corev1.NamespaceList
	if err := c.List(ctx, &members, client.HasLabels{names.MonitoredByLabel}); err != nil {
		return err
	}
	for i := range meshes {
		meshes[i].Members = []string{}
		for _, ns := range members.Items {
			if ns.Labels[names.MonitoredByLabel] == meshes[i].Name {
				meshes[i].Members = append(meshes[i].Members, ns.Name)
			}
		}
	}
	return nil
}

// open connects to the cluster and finds a mesh. An empty name selects the only mesh.
func (a *app) open(ctx context.Context, name string) (client.WithWatch, mesh, error) {
	c, all, err := a.connect(ctx)
	if err != nil {
		return nil, mesh{}, err
	}
	m, err := selectMesh(name, all)
	return c, m, err
}

// load connects to the cluster, finds a mesh and reads its objects.
func (a *app) load(ctx context.Context, name string) (mesh, *load.Loaded, error) {
	c, m, err := a.open(ctx, name)
	if err != nil {
		return m, nil, err
	}
	loaded, err := clusterload.Load(ctx, c, m.Name, m.Namespace)
	return m, loaded, err
}

// meshAction is what a command does with a mesh.
type meshAction func(ctx context.Context, c client.Client, m mesh, form *output.Flag, args []string) error

// forMesh makes a command act on a mesh, and adds the flags that select the mesh and the output format.
func (a *app) forMesh(cmd *cobra.Command, do meshAction) *cobra.Command {
	var name string
	var form output.Flag
	a.addMeshAndOutput(cmd, &name, &form)
	cmd.RunE = a.run(func(ctx context.Context, args []string) error {
		c, m, err := a.open(ctx, name)
		if err != nil {
			return err
		}
		return do(ctx, c, m, &form, args)
	})
	return cmd
}

// connect connects to the cluster and lists its meshes.
func (a *app) connect(ctx context.Context) (client.WithWatch, []mesh, error) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, nil, err
	}
	all, err := a.meshes(ctx, c)
	return c, all, err
}

// oneMesh reads the named mesh. An empty name selects the only mesh.
func (a *app) oneMesh(ctx context.Context, c client.Client, name string) (mesh, error) {
	all, err := a.meshes(ctx, c)
	if err != nil {
		return mesh{}, err
	}
	return selectMesh(name, all)
}

// selectMesh returns the named mesh. An empty name selects the only mesh.
func selectMesh(name string, all []mesh) (mesh, error) {
	if name == "" && len(all) == 1 {
		return all[0], nil
	}
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
	}
	return mesh{}, noSuchMesh(name, all)
}

// served returns the namespaces with pods that the control plane serves: the members, and its own one, which has the gateways.
func (m mesh) served() []string { return append(slices.Clone(m.Members), m.Namespace) }

// checkMember returns an error if a namespace has no pods that the control plane serves. An empty namespace means all.
func (m mesh) checkMember(namespace string) error {
	if namespace == "" || slices.Contains(m.served(), namespace) {
		return nil
	}
	return fmt.Errorf("namespace %s does not exist or is not part of mesh %s: list its namespaces with `osm namespace list --mesh-name %s`", namespace, m.Name, m.Name)
}

func noSuchMesh(name string, all []mesh) error {
	known := lists.Map(all, func(m mesh) string { return m.Name })
	switch {
	case len(all) == 0:
		return fmt.Errorf("no mesh found in the cluster: install one with `osm install`")
	case name == "":
		return fmt.Errorf("several meshes found (%s): select one with --mesh-name", strings.Join(known, ", "))
	}
	return fmt.Errorf("Mesh [%s] does not exist. Please specify another mesh using --mesh-name or create a new mesh: existing meshes: %s", name, strings.Join(known, ", ")) //nolint:staticcheck // same message as OSM
}

func (a *app) meshListCommand() *cobra.Command {
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the meshes in the cluster",
		Long: `List all meshes: those declared by a Mesh object, and those installed by OSM. The column CANARY shows the canary version
during an upgrade. The second table shows the SMI versions that a mesh supports.`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.meshList(ctx, &form) }),
	}
	form.AddTo(cmd.Flags())
	// OSM forwarded a port to the mesh. The flag is accepted so that scripts which set it keep working.
	cmd.Flags().Uint16P("local-port", "p", 9091, "no effect; accepted for compatibility with OSM")
	return cmd
}

// smiSupported lists the SMI versions that every control plane version supports.
const smiSupported = "HTTPRouteGroup:v1alpha4,TCPRoute:v1alpha4,TrafficSplit:v1alpha2,TrafficSplit:v1alpha4,TrafficTarget:v1alpha3"

func (a *app) meshList(ctx context.Context, form *output.Flag) error {
	_, all, err := a.connect(ctx)
	if err != nil {
		return err
	}
	result := output.Result{
		Data: map[string]any{"items": all},
		Table: output.Table{Columns: append(output.Columns("MESH NAME", "MESH NAMESPACE", "VERSION"),
			output.Column{Name: "DESIRED", Wide: true}, output.Column{Name: "ADDED NAMESPACES"},
			output.Column{Name: "CANARY", Wide: !slices.ContainsFunc(all, func(m mesh) bool { return m.Canary != "" })}, output.Column{Name: "READY", Wide: true}, output.Column{Name: "REASON", Wide: true},
			output.Column{Name: "PLAN", Wide: true})},
	}
	support := output.Table{Columns: output.Columns("MESH NAME", "MESH NAMESPACE", "SMI SUPPORTED")}
	for _, m := range all {
		result.Names = append(result.Names, meshResource+m.Name)
		result.Table.Rows = append(result.Table.Rows, []string{
			m.Name, m.Namespace, m.Version, orDash(m.Desired), strings.Join(m.Members, ","),
			orDash(m.Canary), m.Ready, m.Reason, orDash(m.Plan),
		})
		if m.Declared {
			support.Rows = append(support.Rows, []string{m.Name, m.Namespace, smiSupported})
		}
	}
	if form.ForPeople() && len(all) == 0 {
		a.note("No osm mesh control planes found")
		return nil
	}
	if err := form.Print(a.Out, result); err != nil || !form.ForPeople() || len(support.Rows) == 0 {
		return err
	}
	a.line("")
	return form.Print(a.Out, output.Result{Table: support})
}
