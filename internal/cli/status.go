package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// summary is the summary of a mesh.
type summary struct {
	mesh
	ControlPlane []component `json:"controlPlane"`
	// CanaryControlPlane is the control plane of the canary. It is empty without one.
	CanaryControlPlane []component `json:"canaryControlPlane,omitempty"`
	Permissive         bool        `json:"permissive"`
	Egress             bool        `json:"egress"`
	Pods               podCounts   `json:"pods"`
	// Uncreated lists the workloads whose pods cannot be created, Remaining the sidecars that no control plane configures any more, by namespace.
	Uncreated []diagnosis.Finding `json:"uncreated,omitempty"`
	Remaining []diagnosis.Finding `json:"remaining,omitempty"`
	// Peers are the problems of each MeshPeer, by its name.
	Peers []peerSummary `json:"peers,omitempty"`
	// Problems lists the policies that are not fully in force.
	Problems []diagnosis.Finding `json:"problems"`
}

// peerSummary has the problems of a MeshPeer, none if all is well.
type peerSummary struct {
	Name     string              `json:"name"`
	Problems []diagnosis.Finding `json:"problems,omitempty"`
}

type component struct {
	Name    string `json:"name"`
	Ready   int32  `json:"ready"`
	Desired int32  `json:"desired"`
}

type podCounts struct {
	// Meshed pods have a sidecar, Bare pods have none. Finished pods are not counted.
	Meshed int `json:"meshed"`
	Bare   int `json:"bare"`
	// ByRevision counts the pods with a sidecar by the MeshRevision that injected it.
	ByRevision map[string]int `json:"byRevision"`
}

func (a *app) statusCommand() *cobra.Command {
	return a.forMesh(&cobra.Command{
		Use:   "status",
		Short: "Show the status of a mesh",
		Long: `Show the status of a mesh: its readiness, control plane, traffic policy mode, namespaces, pods, peers, and policies with problems.
The exit code is 1 if the mesh is not ready.`,
	}, a.status)
}

func (a *app) status(ctx context.Context, c client.Client, m mesh, form *output.Flag, _ []string) error {
	found, err := a.summarize(ctx, c, m)
	if err != nil {
		return err
	}
	err = form.Print(a.Out, output.Result{Data: found, Names: []string{meshResource + m.Name}, Text: found.print})
	return exitIf(m.Declared && m.Ready != "True", exitFailed, err)
}

func (a *app) summarize(ctx context.Context, c client.Client, m mesh) (*summary, error) {
	found := &summary{mesh: m, Pods: podCounts{ByRevision: map[string]int{}}, Problems: []diagnosis.Finding{}}
	var err error
	if found.ControlPlane, err = components(ctx, c, m.Namespace, ""); err != nil {
		return nil, err
	}
	if m.Canary != "" {
		if found.CanaryControlPlane, err = components(ctx, c, m.Namespace, m.canarySuffix); err != nil {
			return nil, err
		}
	}
	traffic, err := trafficSettings(ctx, c, m)
	if err != nil {
		return nil, err
	}
	found.Permissive, found.Egress = traffic.EnablePermissiveTrafficPolicyMode, traffic.EnableEgress
	for _, namespace := range m.Members {
		if err := found.Pods.count(ctx, c, namespace); err != nil {
			return nil, err
		}
	}
	subject := checks.Subject{Client: c, Mesh: m.Name, Namespace: m.Namespace, Meshes: m.siblings, Now: a.now()}
	found.Uncreated, found.Remaining = subject.Uncreated(ctx, m.Members), subject.Remaining(ctx)
	isProblem := func(f diagnosis.Finding) bool { return f.Severity != diagnosis.OK }
	for _, group := range subject.Policies(ctx) {
		found.Problems = append(found.Problems, lists.Filter(group.Parts, isProblem)...)
	}
	for _, group := range subject.DeclaredPeers(ctx) {
		found.Peers = append(found.Peers, peerSummary{strings.TrimPrefix(group.Check, "peer "), lists.Filter(group.Parts, isProblem)})
	}
	return found, nil
}

// trafficSettings returns the traffic settings in the MeshConfig of a mesh, or the defaults without one.
func trafficSettings(ctx context.Context, c client.Client, m mesh) (configv1alpha2.TrafficSpec, error) {
	config, err := meshConfig(ctx, c, m)
	if config == nil {
		return configv1alpha2.TrafficSpec{}, err
	}
	return config.Spec.Traffic, nil
}

// meshConfig returns the MeshConfig of a mesh; nil without one.
func meshConfig(ctx context.Context, c client.Client, m mesh) (*configv1alpha2.MeshConfig, error) {
	config := &configv1alpha2.MeshConfig{}
	err := c.Get(ctx, client.ObjectKey{Namespace: m.Namespace, Name: names.MeshConfig}, config)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return config, nil
}

// components returns the Deployments of a control plane. The suffix selects the canary's and is empty for the active control plane.
func components(ctx context.Context, c client.Client, namespace, suffix string) ([]component, error) {
	var all []component
	for _, name := range []string{names.WithSuffix(names.Controller, suffix), names.WithSuffix(names.Injector, suffix)} {
		d := &appsv1.Deployment{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d)
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		all = append(all, component{Name: name, Ready: d.Status.ReadyReplicas, Desired: ptr.Deref(d.Spec.Replicas, 0)})
	}
	return all, nil
}

func (p *podCounts) count(ctx context.Context, c client.Client, namespace string) error {
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		switch {
		case kube.IsGone(pod):
		case pod.Labels[names.ProxyUUIDLabel] != "":
			p.Meshed++
			p.ByRevision[orUnknown(pod.Labels[names.RevisionLabel])]++
		default:
			p.Bare++
		}
	}
	return nil
}

// print writes the summary as text.
func (g *summary) print(w io.Writer) error {
	line := func(title, format string, args ...any) {
		fmt.Fprintf(w, "%-15s %s\n", title, fmt.Sprintf(format, args...))
	}
	version := orUnknown(g.Version)
	if g.Desired != "" && g.Desired != g.Version {
		version += " (changing to " + g.Desired + ")"
	}
	line("Mesh", "%s, version %s, in namespace %s", g.Name, version, g.Namespace)
	switch {
	case g.Deleting:
		line("State", "being deleted, %s: %s", orUnknown(g.Reason), orUnknown(g.Message))
	case !g.Declared:
		line("State", "installed without a Mesh object")
	case g.Ready == "True":
		line("State", "Ready")
	default:
		line("State", "%s: %s", orUnknown(g.Reason), orUnknown(g.Message))
	}
	if g.Plan != "" {
		line("Plan", "%s; not applied until spec.mode is Apply", g.Plan)
	}
	line("Control plane", "%s", readiness(g.ControlPlane))
	if g.Canary != "" {
		line("Canary", "version %s: %s", g.Canary, readiness(g.CanaryControlPlane))
	}
	for _, c := range g.Components {
		line("Component", "%s is not ready, %s: %s", c.Name, c.Reason, c.Message)
	}
	line("Traffic", "%s; %s", formatSetting(g.Permissive, "permissive mode", "denied unless a policy allows it"),
		formatSetting(g.Egress, "egress to all destinations", "egress only by Egress policies"))
	line("Namespaces", "%d: %s", len(g.Members), strings.Join(g.Members, ", "))
	line("Pods", "%d with a sidecar%s, %d without", g.Pods.Meshed, g.Pods.revisions(), g.Pods.Bare)
	for _, p := range slices.Concat(g.Uncreated, g.Remaining) {
		line("Pods", "%s %s: %s", p.Severity.Tag(), p.Text(), p.Remedy)
	}
	for _, peer := range g.Peers {
		if len(peer.Problems) == 0 {
			line("Peer", "%s: connected", peer.Name)
		}
		for _, p := range peer.Problems {
			line("Peer", "%s: %s %s: %s", peer.Name, p.Severity.Tag(), p.Text(), p.Remedy)
		}
	}
	if len(g.Problems) == 0 {
		line("Policies", "all in force")
	}
	for _, p := range g.Problems {
		line("Policies", "%s %s", p.Severity.Tag(), p.Text())
	}
	return nil
}

// readiness formats the number of ready pods of each Deployment.
func readiness(all []component) string {
	return strings.Join(lists.Map(all, func(c component) string { return fmt.Sprintf("%s %d of %d ready", c.Name, c.Ready, c.Desired) }), ", ")
}

// revisions formats the number of sidecars by revision. It is empty if all have the same revision.
func (p *podCounts) revisions() string {
	if len(p.ByRevision) < 2 {
		return ""
	}
	parts := lists.Map(slices.Sorted(maps.Keys(p.ByRevision)), func(revision string) string {
		return fmt.Sprintf("%d of %s", p.ByRevision[revision], revision)
	})
	return " (" + strings.Join(parts, ", ") + ")"
}

func formatSetting(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}
