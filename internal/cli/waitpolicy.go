package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// waitInterval is the interval at which wait reads the cluster.
const waitInterval = 200 * time.Millisecond

// failedPolls is the number of consecutive polls after which a condition that is False is final. Conditions of policies that were applied
// together become True one after another.
const failedPolls = 10

// policyRef identifies a policy.
type policyRef struct{ kind, namespace, name string }

func (p policyRef) String() string { return p.kind + " " + p.namespace + "/" + p.name }

// policyWait polls the conditions of a policy and the acknowledgements of its sidecars.
type policyWait struct {
	policyRef
	mesh    mesh
	reader  client.Reader
	reports objectReports

	// last describes what the policy waits for.
	last string
	// warnings are messages of conditions that are True with a restriction.
	warnings []string
	sum      reportclient.ObjectSum
	// failed counts the consecutive polls with the condition failure.
	failed  int
	failure string
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

// pollConditions returns true if all conditions of the current generation are True. It returns an error if one remains False.
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
		return evaluated, nil
	}
	w.failed++
	if failure != w.failure {
		w.failed = 1
	}
	w.failure, w.last = failure, failure
	if w.failed >= failedPolls {
		return false, fmt.Errorf("%s is not in force: %s", w, failure)
	}
	return false, nil
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

func (w *policyWait) pending() string    { return "is not in force: " + w.last }
func (w *policyWait) restricted() string { return strings.Join(w.warnings, " ") }

// readPolicy returns a policy.
func readPolicy(ctx context.Context, c client.Reader, p policyRef) (*unstructured.Unstructured, error) {
	for _, source := range kinds.Policies() {
		if string(source.Kind) != p.kind {
			continue
		}
		object := kinds.Object(source.Object.GetObjectKind().GroupVersionKind())
		err := c.Get(ctx, client.ObjectKey{Namespace: p.namespace, Name: p.name}, object)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("%s not found: specify its namespace with -n", p)
		}
		return object, err
	}
	return nil, fmt.Errorf("unknown kind %s", p.kind)
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
