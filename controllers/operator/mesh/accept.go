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
	if len(problems) == 0 {
		return condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonAccepted, Message: "every field of the MeshConfig that asks for something is acted on"}
	}
	var sentences []string
	for _, problem := range problems {
		sentences = append(sentences, problem.Message)
	}
	return condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonFieldsNotActedOn, Message: strings.Join(sentences, " ")}
}
