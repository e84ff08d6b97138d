package telemetry

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Assess returns what people should know about a policy. MeshNamespace is the namespace of the control plane.
func Assess(v *catalog.View, policy *Policy, meshNamespace string) []finding.Finding {
	// A pod without other labels than those of the selector: what applies to it applies to all pods that the policy selects.
	pod := &inventory.Instance{Name: entity.Name{Namespace: policy.Name.Namespace}, Labels: policy.Selector}
	found := finding.NewSelectorConflict(policy.Ref(), Of(v, pod))
	if policy.Export == (entity.Name{}) {
		return found
	}
	service, missing := finding.Extension(v, meshNamespace, policy.Name.Namespace, policy.Export, "logs are not exported")
	if service != nil && service.HTTP1 {
		return append(found, finding.New(finding.NoExtension, ingest.ReasonUnknownProtocol,
			"ExtensionService %s has the protocol http, and logs are exported over gRPC, so they are lost: write the protocol h2c, and the port for OTLP over gRPC.", service.Name))
	}
	return append(found, missing...)
}
