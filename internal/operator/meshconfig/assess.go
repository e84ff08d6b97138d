package meshconfig

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
)

// WriteAccepted writes into the status of a MeshConfig which of its fields are not acted on, and returns the same for the Mesh.
func (r *Reconciler) WriteAccepted(ctx context.Context, live *configv1alpha2.MeshConfig) (conditions.Assessment, error) {
	assessment := assess(live)
	before := live.DeepCopy()
	live.Status.ObservedGeneration = live.Generation
	conditions.NewEditor(&live.Status.Conditions, live.Generation, r.Now()).Set(configv1alpha2.ConditionAccepted, assessment)
	if equality.Semantic.DeepEqual(before.Status, live.Status) {
		return assessment, nil
	}
	if err := r.Client.Status().Patch(ctx, live, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return assessment, fmt.Errorf("the status of the MeshConfig cannot be written: %w", client.IgnoreNotFound(err))
	}
	return assessment, nil
}

// assess finds the fields that have no effect. It calls the code that the control plane reads its settings with, so both always agree.
func assess(config *configv1alpha2.MeshConfig) conditions.Assessment {
	_, problems := ingest.MeshConfig(config)
	later := newPods(config)
	if len(problems) == 0 {
		message := "every field of the MeshConfig that asks for something is acted on"
		if later != "" {
			message += "; on" + later
		}
		return conditions.Assessment{State: conditions.Ready, Reason: v1alpha1.ReasonAccepted, Message: message}
	}
	var sentences []string
	for _, problem := range problems {
		sentences = append(sentences, problem.StatusMessage())
	}
	if later != "" {
		sentences = append(sentences, "On"+later+".")
	}
	return conditions.Assessment{State: conditions.Failing, Reason: v1alpha1.ReasonFieldsNotActedOn, Message: strings.Join(sentences, " ")}
}

// newPods names the fields that are in force for pods which are created from now on, and for no others.
func newPods(config *configv1alpha2.MeshConfig) string {
	if config == nil {
		return ""
	}
	fields := ingest.NewPodFields(&config.Spec)
	if len(fields) == 0 {
		return ""
	}
	return fmt.Sprintf(" new pods only act %s: a pod keeps what they were when it was created, until it is replaced", strings.Join(fields, ", "))
}
