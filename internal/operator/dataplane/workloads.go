package dataplane

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// restartDisabled is the value of names.RestartLabel that keeps a workload from being restarted.
const restartDisabled = "disabled"

// observation is the part of a cluster that workloads are computed from.
type observation struct {
	// pods are those with sidecars.
	pods []corev1.Pod
	// states are those of workloads that can be restarted.
	states map[rollout.Ref]state
	// unread holds the workloads whose objects could not be read, each with the reason.
	unread map[rollout.Ref]string
	// restarted are the workloads that were restarted for a revision of the mesh, with or without pods.
	restarted []rollout.Ref
	budgets   []policyv1.PodDisruptionBudget
	// optedOut holds the namespaces whose workloads are not restarted.
	optedOut map[string]bool
	// lostNodes holds the nodes that are not ready.
	lostNodes map[string]bool
	// oldKubelets holds the versions of the kubelets that do not restart a sidecar with another image, by node.
	oldKubelets map[string]string
	now         time.Time
}

// workloads returns one workload for each owner of pods, sorted.
func (o observation) workloads() []rollout.Workload {
	found, counts := map[rollout.Ref]*rollout.Workload{}, map[rollout.Ref]podCounts{}
	for i := range o.pods {
		pod := &o.pods[i]
		if !isActive(pod) {
			continue
		}
		ref := WorkloadOf(pod)
		w := found[ref]
		if w == nil {
			added := o.workload(ref)
			w = &added
			found[ref] = w
		}
		o.addPod(w, pod)
		counts[ref] = counts[ref].with(pod, o.lostNodes)
	}
	for _, w := range found {
		o.assess(w, counts[w.Ref])
	}
	for _, ref := range o.restarted {
		if found[ref] == nil {
			absent := o.workload(ref)
			o.assess(&absent, podCounts{})
			absent.ReadySince = o.states[ref].rolledOut
			found[ref] = &absent
		}
	}
	var list []rollout.Workload
	for _, w := range found {
		if !w.Ready {
			w.ReadySince = time.Time{}
		}
		w.ReadySince = notBefore(w.ReadySince, w.Restart.At, o.now)
		list = append(list, *w)
	}
	slices.SortFunc(list, func(a, b rollout.Workload) int { return a.Ref.Compare(b.Ref) })
	for _, w := range list {
		slices.SortFunc(w.Accounts, identity.ServiceAccount.Compare)
		slices.SortFunc(w.Slotted, func(a, b rollout.SlottedPod) int { return cmp.Compare(a.Pod, b.Pod) })
	}
	return list
}

// addPod adds what a pod says about its workload.
func (o observation) addPod(w *rollout.Workload, pod *corev1.Pod) {
	ready, since := readiness(pod)
	w.Sidecars[revisionOf(pod)]++
	if account := accountOf(pod); !slices.Contains(w.Accounts, account) {
		w.Accounts = append(w.Accounts, account)
	}
	if slotted, ok := slottedPod(pod); ok {
		slotted.Fixed = cmp.Or(slotted.Fixed, o.fixedByKubelet(pod.Spec.NodeName))
		slotted.Lost, slotted.Unready = o.lostNodes[pod.Spec.NodeName], !ready
		w.Slotted = append(w.Slotted, slotted)
	}
	if !w.Ref.Restartable() && pod.Labels[names.RestartLabel] == restartDisabled {
		w.OptedOut = true
	}
	if o.lostNodes[pod.Spec.NodeName] {
		if w.Lost == nil {
			w.Lost = map[string]int{}
		}
		w.Lost[revisionOf(pod)]++
	}
	if sidecar, ok := o.running(pod); ok {
		w.Running = append(w.Running, sidecar)
	}
	if since.After(w.ReadySince) {
		w.ReadySince = since
	}
	for _, event := range []time.Time{pod.CreationTimestamp.Time, since} {
		if event.After(w.Progressed) {
			w.Progressed = event
		}
	}
}

// workload returns a workload as its own object describes it. A workload that cannot be restarted is described by its pods alone.
func (o observation) workload(ref rollout.Ref) rollout.Workload {
	w := rollout.Workload{Ref: ref, Sidecars: map[string]int{}, OptedOut: o.optedOut[ref.Namespace]}
	state, known := o.states[ref]
	if !known {
		// Without a reason, the object was deleted before its pods, the cache does not hold it yet, or it is of a kind that is not read.
		w.Unread = o.unread[ref]
		return w
	}
	w.OnDelete, w.AtOnce = state.onDelete, state.atOnce
	w.OptedOut = w.OptedOut || state.labels[names.RestartLabel] == restartDisabled
	w.Restart = parseRestart(state.restart)
	w.Blocked = o.blockingBudget(ref.Namespace, state.podLabels)
	return w
}

// blockingBudget names a PodDisruptionBudget that allows no disruption of pods with these labels now, or is empty.
func (o observation) blockingBudget(namespace string, podLabels map[string]string) string {
	for i := range o.budgets {
		budget := &o.budgets[i]
		if budget.Namespace != namespace || budget.Status.DisruptionsAllowed > 0 || budget.Status.ExpectedPods == 0 {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
		if err == nil && selector.Matches(labels.Set(podLabels)) { // an empty selector selects all pods of the namespace
			return budget.Name
		}
	}
	return ""
}

// isActive reports whether a pod is running or starting.
func isActive(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// readiness reports whether a pod is ready, and since when.
func readiness(pod *corev1.Pod) (bool, time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return true, c.LastTransitionTime.Time
		}
	}
	return false, time.Time{}
}

// CountSidecars counts sidecars by the revision that injected them, and those that are not of the desired revision of their namespace.
func CountSidecars(workloads []rollout.Workload, limits rollout.Limits, desired func(namespace string) string) (byRevision map[string]int, outdated int) {
	byRevision = map[string]int{}
	for _, w := range workloads {
		for revision, n := range w.Sidecars {
			byRevision[revision] += n
		}
		restart, inPlace := w.Outdated(desired(w.Ref.Namespace), limits)
		outdated += restart + len(inPlace)
	}
	maps.DeleteFunc(byRevision, func(_ string, n int) bool { return n == 0 })
	return byRevision, outdated
}

// state is the state of a workload according to its own object.
type state struct {
	progress
	// onDelete is true when a new pod template does not replace every pod by itself, or all of them at once.
	onDelete bool
	// atOnce is true when a new pod template ends all pods before new ones start.
	atOnce bool
	// unobserved is true if the controller of another project has not observed the latest spec.
	unobserved bool
	// held is why the controller of another project waits; empty if it does not.
	held string
	// restart is the value of names.RestartAnnotation on the pod template.
	restart string
	// rolledOut is when the last rollout completed, if the status holds it.
	rolledOut time.Time
	// labels are those of the object, podLabels those of its pod template.
	labels, podLabels map[string]string
}

// stateOf reads the object of a workload.
func stateOf(object client.Object) state {
	s := state{labels: object.GetLabels()}
	switch o := object.(type) {
	case *appsv1.Deployment:
		desired := ptr.Deref(o.Spec.Replicas, 1)
		s.progress = progress{
			complete: isObserved(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.UpdatedReplicas == desired && o.Status.Replicas == desired,
			desired:  int(desired), unavailable: int(desired - o.Status.AvailableReplicas),
		}
		s.onDelete, s.atOnce = o.Spec.Paused, o.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType
		s.rolledOut = rolloutTime(o.Status.Conditions)
		s.restart, s.podLabels = o.Spec.Template.Annotations[names.RestartAnnotation], o.Spec.Template.Labels
	case *appsv1.StatefulSet:
		desired := ptr.Deref(o.Spec.Replicas, 1)
		s.progress = progress{
			complete: isObserved(o.ObjectMeta, o.Status.ObservedGeneration) && o.Status.Replicas == desired,
			desired:  int(desired), unavailable: int(desired - o.Status.ReadyReplicas), behind: int(desired - o.Status.UpdatedReplicas),
		}
		if o.Status.UpdateRevision == o.Status.CurrentRevision {
			s.behind = 0
		}
		s.onDelete = !replacesOneByOne(string(o.Spec.UpdateStrategy.Type)) || partition(o) > 0
		s.restart, s.podLabels = o.Spec.Template.Annotations[names.RestartAnnotation], o.Spec.Template.Labels
	case *appsv1.DaemonSet:
		desired := o.Status.DesiredNumberScheduled
		s.progress = progress{
			complete: isObserved(o.ObjectMeta, o.Status.ObservedGeneration),
			desired:  int(desired), unavailable: int(desired - o.Status.NumberAvailable), behind: int(desired - o.Status.UpdatedNumberScheduled),
		}
		s.onDelete = !replacesOneByOne(string(o.Spec.UpdateStrategy.Type))
		s.restart, s.podLabels = o.Spec.Template.Annotations[names.RestartAnnotation], o.Spec.Template.Labels
	case *unstructured.Unstructured:
		return stateOfThirdParty(o)
	}
	return s
}

// replacesOneByOne reports whether the update strategy of a StatefulSet or a DaemonSet keeps most pods during an update. Strategies that are not known here,
// such as the alpha strategy Recreate of Kubernetes 1.37, do not.
func replacesOneByOne(strategy string) bool { return strategy == "" || strategy == "RollingUpdate" }

const (
	// unobservedText is why a workload is not complete whose controller may be absent.
	unobservedText = "its controller has not observed its latest change: check whether that controller runs"
	// onDeleteText is why a workload may stay in the middle of an update.
	onDeleteText = "it does not replace all its pods by itself"
)

// heldReason is why a workload may be incomplete though all its pods are ready; empty if there is no such reason.
func (s state) heldReason() string {
	switch {
	case s.unobserved:
		return unobservedText
	case s.onDelete:
		return onDeleteText
	}
	return s.held
}

// rolloutTime is when a Deployment's last rollout completed; zero during a rollout.
func rolloutTime(conditions []appsv1.DeploymentCondition) time.Time {
	for _, c := range conditions {
		if c.Type == appsv1.DeploymentProgressing && c.Reason == "NewReplicaSetAvailable" {
			return c.LastUpdateTime.Time
		}
	}
	return time.Time{}
}

// isObserved reports whether a status is that of the latest spec.
func isObserved(meta metav1.ObjectMeta, observed int64) bool { return observed >= meta.Generation }

// partition is the ordinal below which a StatefulSet does not update pods.
func partition(s *appsv1.StatefulSet) int32 {
	return ptr.Deref(ptr.Deref(s.Spec.UpdateStrategy.RollingUpdate, appsv1.RollingUpdateStatefulSetStrategy{}).Partition, 0)
}

// RestartError is a restart that the API server rejected. It concerns one workload only.
type RestartError struct {
	Workload rollout.Ref
	Err      error
}

// Error names the workload.
func (e *RestartError) Error() string {
	return fmt.Sprintf("%s cannot be restarted: %v", e.Workload, e.Err)
}

// Unwrap returns the error of the API server.
func (e *RestartError) Unwrap() error { return e.Err }

// Restart makes a workload replace its pods, whose new sidecars are of a revision. It returns a *RestartError, which is a conflict when
// the workload has changed since it was observed. A second restart for the same revision is marked in the annotation.
func (p *Plane) Restart(ctx context.Context, ref rollout.Ref, revision string, at time.Time) error {
	object, err := p.read(ctx, ref)
	if err != nil {
		return &RestartError{ref, err}
	}
	earlier := parseRestart(stateOf(object).restart)
	annotation := formatRestart(rollout.Restart{Revision: revision, At: at, Retry: earlier.Revision == revision})
	kind, _ := thirdPartyKind(ref)
	patch := restartPatch(kind, object.GetResourceVersion(), annotation, at)
	if err := p.writer.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner(apply.FieldManager)); err != nil {
		return &RestartError{ref, err}
	}
	return nil
}

// VersionOf returns a text that changes with the spec and labels of a workload and with the metadata of its namespace. It does not change
// with their status, which changes without a user.
func (p *Plane) VersionOf(ctx context.Context, ref rollout.Ref) string {
	object, err := p.read(ctx, ref)
	namespace := &corev1.Namespace{}
	if err != nil || p.namespaces.Get(ctx, client.ObjectKey{Name: ref.Namespace}, namespace) != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %s %s %s", object.GetUID(), object.GetGeneration(), labels.FormatLabels(object.GetLabels()),
		labels.FormatLabels(namespace.Labels), labels.FormatLabels(namespace.Annotations))
}

// formatRestart is the value of names.RestartAnnotation for a restart.
func formatRestart(r rollout.Restart) string {
	text := r.Revision + " " + r.At.UTC().Format(time.RFC3339)
	if r.Retry {
		text += " " + again
	}
	return text
}

// again marks a second restart for the same revision.
const again = "again"

// parseRestart reads the value of names.RestartAnnotation. A value that the operator did not write is no restart.
func parseRestart(text string) rollout.Restart {
	words := strings.Fields(text)
	if len(words) != 2 && (len(words) != 3 || words[2] != again) {
		return rollout.Restart{}
	}
	at, err := time.Parse(time.RFC3339, words[1])
	if err != nil {
		return rollout.Restart{}
	}
	return rollout.Restart{Revision: words[0], At: at, Retry: len(words) == 3}
}
