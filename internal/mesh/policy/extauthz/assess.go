package extauthz

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Assess returns what people should know about a policy. MeshNamespace is the namespace of the control plane.
func Assess(v *catalog.View, policy *Policy, meshNamespace string) []finding.Finding {
	// A pod without other labels than those of the selector: what applies to it applies to all pods that the policy selects.
	pod := &inventory.Instance{Name: entity.Name{Namespace: policy.Name.Namespace}, Labels: policy.Selector}
	winner, ofMesh := Of(v, pod)
	if policy.Name.Namespace == v.Settings().Namespace {
		winner = ofMesh
	}
	_, missing := finding.Extension(v, meshNamespace, policy.Name.Namespace, policy.Service, effectWithoutServer(policy))
	return append(finding.NewSelectorConflict(policy.Ref(), winner), missing...)
}

// effectWithoutServer describes what happens to requests without an answer.
func effectWithoutServer(policy *Policy) string {
	if policy.FailureModeAllow {
		return "no request is sent to it, and all are allowed"
	}
	return "requests get status 503"
}
