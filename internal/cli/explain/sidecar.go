package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/remaining"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// withoutSidecar returns that a party of the mesh needs a sidecar, if it has pods and none of them has one.
func (m Mesh) withoutSidecar(p party) []diagnosis.Finding {
	pods := m.podsOf(p)
	hasSidecar := func(pod *inventory.Instance) bool { return pod.Injected || pod.OSMSidecar && p.pod == nil }
	if len(pods) == 0 || slices.ContainsFunc(pods, hasSidecar) {
		return nil
	}
	reason := ""
	if m.NotInjected != nil {
		reason = m.NotInjected(pods[0].Name)
	}
	if reason != "" {
		return []diagnosis.Finding{diagnosis.Fail(
			"if it is to be part of the mesh, correct that, and restart the pods", "%s has no sidecar, so it has no identity in the mesh, because %s", p.what, reason,
		)}
	}
	return []diagnosis.Finding{diagnosis.Fail(
		restart(pods)+"; if it still has no sidecar, check the annotation "+names.InjectionAnnotation+" of the pod and its namespace",
		"%s has no sidecar, so it has no identity in the mesh: it is older than the membership of its namespace", p.what,
	)}
}

// remainingSidecars returns a finding if a pod of a party has a sidecar that no control plane configures any more.
func (m Mesh) remainingSidecars(p party) []diagnosis.Finding {
	if m.Remaining == nil {
		return nil
	}
	pods := slices.DeleteFunc(m.podsOf(p), func(pod *inventory.Instance) bool { return !m.Remaining(pod) })
	if len(pods) == 0 {
		return nil
	}
	return []diagnosis.Finding{diagnosis.Fail(
		restart(pods), "pod %s has a sidecar, but namespace %s is not part of mesh %s any more: %s", pods[0].Name, pods[0].Name.Namespace, m.Name, remaining.Effect,
	)}
}

// restart returns what restarts pods: the command of each of their workloads.
func restart(pods []*inventory.Instance) string {
	var all []string
	for _, pod := range pods {
		owner := manifests.Workload{Kind: pod.Workload.Kind, Namespace: pod.Name.Namespace, Name: pod.Workload.Name}
		text := owner.Restart()
		if owner.Kind == "" || owner.Kind == "Pod" {
			text = fmt.Sprintf("delete pod %s and create it again", pod.Name)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", and ")
}
