package cli

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// meshWait polls the condition Ready of a Mesh.
type meshWait struct {
	name   string
	reader client.Reader
	last   string
}

func (w *meshWait) String() string { return "Mesh " + w.name }

// poll returns true when the current generation is Ready. It returns an error if the operator will not reconcile it without a change.
func (w *meshWait) poll(ctx context.Context) (bool, error) {
	m := &v1alpha1.Mesh{}
	err := w.reader.Get(ctx, client.ObjectKey{Name: w.name}, m)
	if apierrors.IsNotFound(err) {
		return false, fmt.Errorf("Mesh %s not found: list meshes with `osm mesh list`", w.name) //nolint:staticcheck // begins with a kind
	}
	if err != nil {
		return false, err
	}
	ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.ObservedGeneration != m.Generation {
		w.last = "the operator has not reconciled its newest version"
		return false, nil
	}
	w.last = ready.Reason + ": " + ready.Message
	stalled := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.ObservedGeneration == m.Generation {
		return false, fmt.Errorf("Mesh %s is stalled: %s: %s", w.name, stalled.Reason, stalled.Message) //nolint:staticcheck // begins with a kind
	}
	return ready.Status == metav1.ConditionTrue, nil
}

func (w *meshWait) pending() string    { return "is not ready: " + w.last }
func (w *meshWait) summary() string    { return w.String() + " is ready" }
func (w *meshWait) restricted() string { return "" }
