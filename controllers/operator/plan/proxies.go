package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/compare"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/operator/dataplane"
	"github.com/openservicemesh/osm-operator/internal/operator/dryrun"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// planProxies adds to a plan which configuration of sidecars would change, and which flows would be decided differently. Only changes of the
// MeshConfig affect them. The answer comes from the code of this program that configures sidecars.
func (r *Reconciler) planProxies(ctx context.Context, mesh *v1alpha1.Mesh, active *v1alpha1.MeshRevision, result *simulated, p *v1alpha1.PlanStatus) error {
	if sentence := notComputable(p, r.Catalogue.Current()); sentence != "" {
		p.Unavailable = append(p.Unavailable, sentence)
		return nil
	}
	p.Proxies, p.Flows = &v1alpha1.PlannedProxies{}, &v1alpha1.PlannedFlows{}
	workloads, err := r.DataPlane.Workloads(ctx, mesh.Name)
	if err != nil {
		return err
	}
	for _, workload := range workloads {
		for _, n := range workload.Sidecars {
			p.Proxies.Total += int32(n)
		}
	}
	i := slices.IndexFunc(result.changes, func(c dryrun.Change) bool {
		return c.Kind.Kind == "MeshConfig" && c.Name == names.MeshConfig && c.After != nil
	})
	if i < 0 {
		return nil
	}
	changes, err := r.compareSidecars(ctx, active, &unstructured.Unstructured{Object: result.changes[i].After})
	if err != nil {
		return fmt.Errorf("the changes of sidecars cannot be computed: %w", err)
	}
	plannedProxies(p.Proxies, changes)
	plannedFlows(p.Flows, changes)
	p.Unavailable = append(p.Unavailable, sentences(changes.Unavailable)...)
	return nil
}

// notComputable returns why the configuration of sidecars cannot be compared; empty when it can.
func notComputable(p *v1alpha1.PlanStatus, own string) string {
	switch {
	case p.From == "":
		return "not computable: what sidecars would be told and which flows would be allowed, because the mesh is not installed and there is nothing to compare with"
	case p.From != own || p.To != own:
		return fmt.Sprintf(
			"not computable: what sidecars would be told and which flows would be allowed, because this operator configures as version %s does, and the mesh goes from %s to %s", own, p.From, p.To)
	}
	return ""
}

// compareSidecars compares the mesh as it is with the mesh under another MeshConfig.
func (r *Reconciler) compareSidecars(ctx context.Context, active *v1alpha1.MeshRevision, config *unstructured.Unstructured) (*compare.Changes, error) {
	mesh, scheme := active.Spec.Mesh, r.Client.Scheme()
	objects, err := clusterload.Objects(ctx, r.Client, mesh, active.Spec.Namespace)
	if err != nil {
		return nil, err
	}
	before, err := load.FromObjects(mesh, scheme, objects)
	if err != nil {
		return nil, err
	}
	after := before.Clone()
	touched, err := after.Edit(mesh, scheme, []*unstructured.Unstructured{config}, nil)
	if err != nil {
		return nil, err
	}
	subject := compare.Subject{TrustDomain: active.Spec.TrustDomain, Workloads: map[entity.Name]string{}}
	for _, object := range objects {
		if object.GetKind() != "Pod" {
			continue
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: object.GetNamespace(), Name: object.GetName(), Labels: object.GetLabels(), OwnerReferences: object.GetOwnerReferences(),
		}}
		subject.Workloads[entity.Name{Namespace: pod.Namespace, Name: pod.Name}] = dataplane.WorkloadOf(pod).String()
	}
	return compare.Meshes(subject, compare.Mesh{Catalog: before.Catalog, Entries: before.Entries},
		compare.Mesh{Catalog: after.Catalog, Entries: after.Entries}, touched)
}

// plannedProxies counts and lists sidecars.
func plannedProxies(p *v1alpha1.PlannedProxies, changes *compare.Changes) {
	p.Changed, p.Total = int32(changes.Sidecars), max(p.Total, int32(changes.AllSidecars))
	for _, one := range changes.Proxies[:min(len(changes.Proxies), v1alpha1.MaxPlanned)] {
		p.Examples = append(p.Examples, v1alpha1.PlannedProxy{
			Workload: message.Limit(one.Workload, v1alpha1.MaxPlannedText), Sidecars: int32(one.Sidecars), Added: counted(one.Resources.Added),
			Changed: counted(one.Resources.Changed), Removed: counted(one.Resources.Removed),
		})
	}
}

// sentences are the first ones of a list, each clipped.
func sentences(list []string) []string {
	return lists.Map(list[:min(len(list), v1alpha1.MaxPlanned)], func(text string) string { return message.Limit(text, v1alpha1.MaxPlannedText) })
}

// counted lists numbers of resources by type; empty for none.
func counted(counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	return compare.CountsText(counts)
}

// plannedFlows counts and lists flows. Those that would be denied come first.
func plannedFlows(p *v1alpha1.PlannedFlows, changes *compare.Changes) {
	flows := slices.Clone(changes.Flows)
	slices.SortStableFunc(flows, func(a, b compare.Flow) int {
		switch {
		case a.Denies() == b.Denies():
			return 0
		case a.Denies():
			return -1
		}
		return 1
	})
	for _, flow := range flows {
		verdict := "Allowed"
		if flow.Denies() {
			verdict = "Denied"
			p.Denied++
		} else {
			p.Allowed++
		}
		if len(p.Changes) < v1alpha1.MaxPlanned {
			p.Changes = append(p.Changes, v1alpha1.PlannedFlow{
				Verdict: verdict, From: message.Limit(flow.From, v1alpha1.MaxPlannedText), To: message.Limit(flow.To, v1alpha1.MaxPlannedText),
				Request: message.Limit(flow.Request, v1alpha1.MaxPlannedText), By: message.Limit(strings.Join(flow.By, ", "), v1alpha1.MaxPlannedText),
			})
		}
	}
}
