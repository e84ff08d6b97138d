package takeover

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	owner "github.com/openservicemesh/osm-operator/internal/mesh/workload"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// workload is a controller of pods with sidecars of an Open Service Mesh, or a pod without a controller.
type workload struct {
	manifests.Workload
	pods int
	// startup is the longest time from the creation of a pod until it was ready.
	startup time.Duration
}

// workloadsOf groups pods by their controllers, sorted.
func workloadsOf(pods []corev1.Pod) []workload {
	found := map[manifests.Workload]*workload{}
	for i := range pods {
		controller := owner.Of(&pods[i])
		key := manifests.Workload{Kind: controller.Kind, Namespace: pods[i].Namespace, Name: controller.Name}
		w := found[key]
		if w == nil {
			w = &workload{Workload: key}
			found[key] = w
		}
		w.pods++
		w.startup = max(w.startup, startupOf(&pods[i]))
	}
	all := make([]workload, 0, len(found))
	for _, w := range found {
		all = append(all, *w)
	}
	slices.SortFunc(all, func(a, b workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// startupOf returns the time from the creation of a pod until it was ready; 0 if it is not.
func startupOf(pod *corev1.Pod) time.Duration {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return max(0, c.LastTransitionTime.Sub(pod.CreationTimestamp.Time))
		}
	}
	return 0
}

// restartedKinds are those of the workloads that the operator restarts. Other controllers have their own manner of restarts.
var restartedKinds = []string{"Deployment", "StatefulSet", "DaemonSet"}

// longestStartup is what a pod counts at most. A pod that became ready again later than that says nothing about its start.
const longestStartup = 5 * time.Minute

// summarize counts workloads, and estimates how long their restarts take.
func summarize(all []workload) Workloads {
	result := Workloads{Yours: []string{}}
	restarted := map[string][]workload{}
	for _, w := range all {
		result.Pods += w.pods
		if slices.Contains(restartedKinds, w.Kind) {
			result.Restarted++
			restarted[w.Namespace] = append(restarted[w.Namespace], w)
			continue
		}
		result.Yours = append(result.Yours, fmt.Sprintf("%s %s/%s (%s): restart or delete its pods yourself", w.Kind, w.Namespace,
			w.Name, output.Count(w.pods, "pod")))
	}
	for _, group := range restarted {
		result.Duration = max(result.Duration, estimate(group))
	}
	return result
}

// estimate returns how long the restarts of one namespace take within the default limits: some of its workloads at a time, a pause after each, and the
// pods of a workload one after another.
func estimate(group []workload) time.Duration {
	limits := desired.Limits(&v1alpha1.Mesh{})
	var total time.Duration
	for _, w := range group {
		total += time.Duration(w.pods)*min(w.startup, longestStartup) + limits.Pause
	}
	return total / time.Duration(limits.Unavailable(len(group)))
}

// BridgeReasons returns why the control plane should serve the sidecars of the Open Service Mesh in namespace from during the restarts; none if it need not.
func BridgeReasons(ctx context.Context, subject checks.Subject, from string) ([]string, error) {
	pods, err := subject.OSMSidecars(ctx)
	if err != nil {
		return nil, err
	}
	return bridgeReasons(ctx, subject.Client, from, summarize(workloadsOf(pods))), nil
}

// bridgeReasons returns why the new control plane should serve the sidecars of an Open Service Mesh during the restarts: which callers have such a sidecar
// while what they call restarts. A MeshConfig that cannot be read is a finding elsewhere.
func bridgeReasons(ctx context.Context, c client.Reader, from string, w Workloads) []string {
	reasons := []string{}
	if n := len(w.Yours); n > 0 {
		reasons = append(reasons, fmt.Sprintf("%s that the operator does not restart may call workloads that it restarts", output.Count(n, "workload")))
	}
	config := &configv1alpha2.MeshConfig{}
	err := c.Get(ctx, client.ObjectKey{Namespace: from, Name: names.MeshConfig}, config)
	if err == nil && config.Spec.Traffic.EnablePermissiveTrafficPolicyMode {
		reasons = append(reasons, "permissive mode is on, so no TrafficTarget says which callers must restart before what they call")
	}
	return reasons
}
