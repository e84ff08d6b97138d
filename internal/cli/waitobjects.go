package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/creation"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// deploymentWait polls the rollout of a Deployment and the sidecars of its pods.
type deploymentWait struct {
	namespace, name string
	mesh            mesh
	reader          client.Reader
	reports         proxyReports

	last string
	pods int
	// now is the clock. failed counts the consecutive polls in which its pods cannot be created, and a change is needed.
	now    func() time.Time
	failed int
}

func (w *deploymentWait) String() string { return "Deployment " + w.namespace + "/" + w.name }

// poll returns true when the Deployment is rolled out and all its sidecars are up to date. It returns an error for pods without a sidecar,
// and for sidecars that reject their configuration.
func (w *deploymentWait) poll(ctx context.Context) (bool, error) {
	d := &appsv1.Deployment{}
	err := w.reader.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: w.name}, d)
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("%s not found: specify its namespace with -n", w)
	}
	if err != nil {
		return false, err
	}
	if err := w.mesh.checkMember(w.namespace); err != nil {
		return false, err
	}
	desired := ptr.Deref(d.Spec.Replicas, 1)
	s := d.Status
	if s.ObservedGeneration < d.Generation || s.UpdatedReplicas < desired || s.AvailableReplicas < desired || s.Replicas > s.UpdatedReplicas {
		w.last = fmt.Sprintf("%d of %d pods are updated, %d of %d pods are available", s.UpdatedReplicas, desired, s.AvailableReplicas, s.Replicas)
		return false, w.pollCreation(ctx)
	}
	pods, err := w.podNames(ctx, d)
	if err != nil {
		return false, err
	}
	return w.pollSidecars(ctx, pods)
}

// pollCreation adds why pods of the Deployment cannot be created. It returns an error if they cannot without a change.
func (w *deploymentWait) pollCreation(ctx context.Context) error {
	failures, err := creation.Find(ctx, w.reader, w.namespace, w.now())
	if err != nil {
		return nil // a restricted role does not grant access to all kinds of workloads
	}
	at := slices.IndexFunc(failures, func(f creation.Failure) bool { return f.Kind == "Deployment" && f.Name == w.name })
	if at >= 0 {
		w.last = failures[at].Message() + ": " + failures[at].Remedy()
	}
	if at < 0 || !failures[at].IsLasting() {
		w.failed = 0
		return nil
	}
	if w.failed++; w.failed < failedPolls {
		return nil
	}
	return fmt.Errorf("%s is not rolled out: %s", w, w.last)
}

// podNames returns the names of the running pods of a Deployment.
func (w *deploymentWait) podNames(ctx context.Context, d *appsv1.Deployment) (map[string]bool, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := w.reader.List(ctx, &pods, client.InNamespace(w.namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if kube.IsGone(pod) {
			continue
		}
		if pod.Labels[names.ProxyUUIDLabel] == "" {
			return nil, fmt.Errorf("pod %s of %s has no sidecar: see the reason with `osm analyze -n %s`", pod.Name, w, w.namespace)
		}
		found[pod.Name] = true
	}
	return found, nil
}

// pollSidecars returns true when the sidecars of all pods have acknowledged their configuration.
func (w *deploymentWait) pollSidecars(ctx context.Context, pods map[string]bool) (bool, error) {
	answers, err := w.reports.Proxies(ctx)
	if err != nil {
		return false, err
	}
	// A pod is up to date when all its Envoys are: while one takes over from another, both have connections.
	current, behind, silent := map[string]bool{}, map[string]bool{}, []string(nil)
	for _, answer := range answers {
		if answer.Err != nil {
			silent = append(silent, answer.Replica)
			continue
		}
		for _, p := range answer.Value.Proxies {
			if p.Namespace != w.namespace || !pods[p.Pod] {
				continue
			}
			switch state := stateOf(p, answer.Replica); state.State {
			case stateUpToDate:
				current[p.Pod] = true
			case stateBehind:
				behind[p.Pod] = true
			case stateRejecting, stateUnserved:
				return false, fmt.Errorf("the sidecar of pod %s/%s is %s: see `osm proxy status %s/%s`", w.namespace, p.Pod, state.State, w.namespace, p.Pod)
			}
		}
	}
	maps.DeleteFunc(current, func(pod string, _ bool) bool { return behind[pod] })
	w.pods = len(pods)
	w.last = fmt.Sprintf("%d of %d sidecars are up to date", len(current), len(pods))
	if len(silent) > 0 {
		w.last += "; replicas that do not respond: " + strings.Join(silent, ", ")
	}
	return len(current) == len(pods), nil
}

func (w *deploymentWait) pending() string { return "is not in the mesh yet: " + w.last }
func (w *deploymentWait) summary() string {
	if w.pods == 0 {
		return w.String() + " has no pods"
	}
	return w.String() + " is rolled out: " + w.last
}

// waitInterval is the interval at which wait reads the cluster.
const waitInterval = 200 * time.Millisecond

// failedPolls is the number of consecutive polls after which a condition that is False is final. Conditions of policies that were applied
// together become True one after another.
const failedPolls = 10

// failures counts how long a failure of an object lasts.
type failures struct {
	// last describes what the object waits for, or its failure.
	last string
	// failed counts the consecutive polls with the same failure.
	failed int
}

// add records the failure of a poll. It returns an error if the failure is final.
func (f *failures) add(object fmt.Stringer, failure string) error {
	if failure != f.last {
		f.failed = 0
	}
	if f.last, f.failed = failure, f.failed+1; f.failed >= failedPolls {
		return fmt.Errorf("%s is not in force: %s", object, failure)
	}
	return nil
}

// quietPolls is the number of consecutive polls without a problem after which an object without conditions is in force.
const quietPolls = 5

// policyRef identifies a policy.
type policyRef struct{ kind, namespace, name string }

func (p policyRef) String() string { return p.kind + " " + p.namespace + "/" + p.name }

// policyWait polls the conditions of a policy and the acknowledgements of its sidecars.
type policyWait struct {
	policyRef
	mesh    mesh
	reader  client.Reader
	reports objectReports

	failures
	// warnings are messages of conditions that are True with a restriction.
	warnings []string
	sum      reportclient.ObjectSum
	// quiet counts the consecutive polls without conditions, of a kind whose objects have conditions only with problems.
	quiet int
}

// poll returns true when the policy is in force. It returns an error if it will not be in force without a change.
func (w *policyWait) poll(ctx context.Context) (bool, error) {
	object, err := readPolicy(ctx, w.reader, w.policyRef)
	switch {
	case apierrors.IsForbidden(err):
		w.warnings = []string{"its conditions are unknown, because you have no permission to read it"}
		return w.pollReports(ctx, 0)
	case err != nil:
		return false, err
	case !slices.Contains(w.mesh.Members, w.namespace):
		return false, fmt.Errorf("%s has no effect: namespace %s is not part of mesh %s: add it with `osm namespace add %s --mesh-name %s`",
			w, w.namespace, w.mesh.Name, w.namespace, w.mesh.Name)
	}
	accepted, err := w.pollConditions(object)
	if err != nil {
		return false, err
	}
	waitsFor := w.last
	acknowledged, err := w.pollReports(ctx, object.GetGeneration())
	if !accepted {
		w.last = waitsFor
	}
	return accepted && acknowledged, err
}

// pollConditions returns true if all conditions of the current generation are True, or if there are none because there is no problem. It
// returns an error if one remains False.
func (w *policyWait) pollConditions(object *unstructured.Unstructured) (bool, error) {
	conditions, err := kinds.ConditionsOf(object)
	if err != nil {
		return false, err
	}
	evaluated, failure, warnings := false, "", []string(nil)
	for _, c := range conditions {
		switch {
		case c.Type == kinds.ConditionReady, c.ObservedGeneration != object.GetGeneration():
			continue // Ready repeats one of the others
		case c.Status != metav1.ConditionTrue && failure == "":
			failure = fmt.Sprintf("%s is %s (%s): %s", c.Type, c.Status, c.Reason, c.Message)
		case c.Reason != kinds.ReasonAccepted && c.Reason != kinds.ReasonResolvedRefs:
			warnings = append(warnings, c.Message)
		}
		evaluated = evaluated || c.Type == kinds.ConditionAccepted
	}
	w.warnings = warnings
	if failure == "" {
		w.failed, w.last = 0, "the control plane has not written the conditions of its newest version"
		if kinds.HasQuietStatus(w.kind) && len(conditions) == 0 {
			w.quiet++
			return w.quiet >= quietPolls, nil
		}
		w.quiet = 0
		return evaluated, nil
	}
	w.quiet = 0
	return false, w.add(w, failure)
}

// pollReports returns true if all affected sidecars have acknowledged a generation.
func (w *policyWait) pollReports(ctx context.Context, generation int64) (bool, error) {
	answers, err := w.reports.Object(ctx, w.kind, w.namespace, w.name)
	if err != nil {
		return false, err
	}
	w.sum, err = reportclient.Combine(answers, generation)
	if errors.Is(err, reportclient.ErrNotFound) {
		w.last = "the control plane has not observed it"
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if w.sum.Rejected > 0 {
		return false, fmt.Errorf("%s was rejected by %d of %d sidecars: see the errors with `osm proxy status -o wide`", w, w.sum.Rejected, w.sum.Sidecars)
	}
	w.last = fmt.Sprintf("%d of %d sidecars have acknowledged it", w.sum.Acknowledged, w.sum.Sidecars)
	if len(w.sum.Unknown) > 0 {
		w.last += fmt.Sprintf("; replicas that do not respond: %s (%v)", strings.Join(w.sum.Unknown, ", "), firstError(answers))
	}
	if len(w.sum.Outdated) > 0 {
		w.last += "; replicas that have not observed its newest version: " + strings.Join(w.sum.Outdated, ", ")
	}
	return !w.sum.RespondedAt.IsZero() && len(w.sum.Unknown) == 0, nil
}

// summary describes a policy that is in force.
func (w *policyWait) summary() string {
	if w.sum.Sidecars == 0 {
		return fmt.Sprintf("%s is accepted, but affects no running pod with a sidecar; it applies to pods that start later", w)
	}
	return fmt.Sprintf("%s is in force: %s", w, w.last)
}

func (w *policyWait) pending() string { return "is not in force: " + w.last }

// restricted describes a restriction of a policy that is in force; empty without one.
func (w *policyWait) restricted() string { return strings.Join(w.warnings, " ") }

// readPolicy returns a policy.
func readPolicy(ctx context.Context, c client.Reader, p policyRef) (*unstructured.Unstructured, error) {
	kind, _ := kinds.Named(p.kind)
	if !kind.AffectsTraffic() {
		return nil, fmt.Errorf("unknown kind %s", p.kind)
	}
	object := kinds.Object(kind.GroupVersionKind)
	err := c.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.name}, object)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%s not found: specify its namespace with -n", p)
	}
	return object, err
}

// generationOf returns the current generation of a policy. A replica with an older generation is outdated. Without permission to read
// the policy, the result is 0, which disables the comparison.
func generationOf(ctx context.Context, c client.Reader, p policyRef) (int64, error) {
	object, err := readPolicy(ctx, c, p)
	if apierrors.IsForbidden(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return object.GetGeneration(), nil
}
