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
)

// notActedOn lists the fields of the MeshConfig that no part of this version reads, each with how to see that somebody asks for
// something with it: a value that differs from the preset and from the default.
var notActedOn = []struct {
	field string
	asked func(*configv1alpha2.MeshConfigSpec) bool
}{
	{"spec.sidecar.envoyWindowsImage", func(c *configv1alpha2.MeshConfigSpec) bool { return c.Sidecar.EnvoyWindowsImage != "" }},
	{"spec.sidecar.maxDataPlaneConnections", func(c *configv1alpha2.MeshConfigSpec) bool { return c.Sidecar.MaxDataPlaneConnections != 0 }},
	{"spec.sidecar.configResyncInterval", func(c *configv1alpha2.MeshConfigSpec) bool {
		return c.Sidecar.ConfigResyncInterval != "" && c.Sidecar.ConfigResyncInterval != "0s"
	}},
	{"spec.traffic.inboundExternalAuthorization", func(c *configv1alpha2.MeshConfigSpec) bool { return c.Traffic.InboundExternalAuthorization.Enable }},
	{"spec.observability.enableDebugServer", func(c *configv1alpha2.MeshConfigSpec) bool { return c.Observability.EnableDebugServer }},
	{"spec.observability.tracing", func(c *configv1alpha2.MeshConfigSpec) bool { return c.Observability.Tracing.Enable }},
	{"spec.certificate.ingressGateway", func(c *configv1alpha2.MeshConfigSpec) bool { return c.Certificate.IngressGateway != nil }},
	{"spec.featureFlags.enableEnvoyActiveHealthChecks", func(c *configv1alpha2.MeshConfigSpec) bool { return c.FeatureFlags.EnableEnvoyActiveHealthChecks }},
	{"spec.featureFlags.enableRetryPolicy", func(c *configv1alpha2.MeshConfigSpec) bool { return c.FeatureFlags.EnableRetryPolicy }},
	{"spec.featureFlags.enableMulticlusterMode", func(c *configv1alpha2.MeshConfigSpec) bool { return c.FeatureFlags.EnableMulticlusterMode }},
}

// accept finds the fields of the MeshConfig that ask for something and are not acted on, and says so in both statuses.
func (r *Reconciler) accept(ctx context.Context, s *scope, live *configv1alpha2.MeshConfig) error {
	verdict := judgeMeshConfig(&live.Spec)
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

// judgeMeshConfig says whether every field that asks for something is acted on.
func judgeMeshConfig(spec *configv1alpha2.MeshConfigSpec) condition.Verdict {
	var fields []string
	for _, f := range notActedOn {
		if f.asked(spec) {
			fields = append(fields, f.field)
		}
	}
	if len(fields) == 0 {
		return condition.Verdict{State: condition.Ready, Reason: v1alpha1.ReasonAccepted, Message: "every field of the MeshConfig that asks for something is acted on"}
	}
	return condition.Verdict{State: condition.Failing, Reason: v1alpha1.ReasonFieldsNotActedOn, Message: fmt.Sprintf(
		"this version does not act on %s of the MeshConfig: the mesh works without what these fields ask for", strings.Join(fields, ", "))}
}
