package mesh

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/condition"
	"github.com/openservicemesh/osm-operator/internal/ingest"
)

// accept finds the fields of the MeshConfig that ask for something and are not acted on, and says so in both statuses.
func (r *Reconciler) accept(ctx context.Context, s *scope, live *configv1alpha2.MeshConfig) error {
	verdict := judgeMeshConfig(live)
	s.configuration = &verdict
	before := live.DeepCopy()
	live.Status.ObservedGeneration = live.Generation
	condition.Of(&live.Status.Conditions, live.Generation, r.Now()).Part(configv1alpha2.ConditionAccepted, verdict)
	if equality.Semantic.DeepEqual(before.Status, live.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, live, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the status of the MeshConfig cannot be written: %w", client.IgnoreNotFound(err))
	}
	return nil
}

// judgeMeshConfig says whether every field that asks for something is acted on. It asks the code that the control plane reads its
// settings with, so both always agree.
func judgeMeshConfig(config *configv1alpha2.MeshConfig) condition.Verdict {
	_, problems := ingest.MeshConfig(config)
	later := newPods(config)
	if len(problems) == 0 {
		message := "every field of the MeshConfig that asks for something is acted on"
		if later != "" {
			message += "; on" + later
		}
		return condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonAccepted, Message: message}
	}
	var sentences []string
	for _, problem := range problems {
		sentences = append(sentences, problem.Message)
	}
	if later != "" {
		sentences = append(sentences, "On"+later+".")
	}
	return condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonFieldsNotActedOn, Message: strings.Join(sentences, " ")}
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
