package analyze

import (
	"k8s.io/apimachinery/pkg/api/meta"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// backendTLSPolicies reports policies that do not encrypt what their targets send. Files have no status, so only the contents of ConfigMaps and what
// sidecars reject depend on it.
func (a *analysis) backendTLSPolicies() {
	for _, policy := range entries[*catalog.BackendTLSPolicy](a) {
		if !a.view.HasBackendTLS(policy.Name.Namespace) {
			continue
		}
		s := a.subject(entity.KindBackendTLSPolicy, policy.Name)
		for _, target := range gateway.BackendTLSStatus(a.view, policy) {
			kind, name := entity.Kind(target.Target.Kind), entity.Name{Namespace: policy.Name.Namespace, Name: target.Target.Name}
			isElsewhere := target.Accepted.Reason == string(gatewayv1.PolicyReasonTargetNotFound) && !a.missing(kind, name)
			if !target.Accepted.OK && !isElsewhere {
				a.add(codeOfAncestor(target.Accepted.Reason), s, "%s", target.Accepted.Message)
			}
		}
		a.ancestors(s)
	}
}

// ancestors reports what the control plane has written about the Egresses of a policy.
func (a *analysis) ancestors(s subject) {
	policy := &gatewayv1.BackendTLSPolicy{}
	if !s.readStatus(policy) {
		return
	}
	for _, ancestor := range policy.Status.Ancestors {
		accepted := meta.FindStatusCondition(ancestor.Conditions, string(gatewayv1.PolicyConditionAccepted))
		isCurrent := accepted != nil && accepted.Status == "False" && accepted.ObservedGeneration == policy.Generation
		if isCurrent && string(ancestor.ControllerName) == names.GatewayController(a.mesh.Name) {
			a.add(codeOfAncestor(accepted.Reason), s, "%s", accepted.Message)
		}
	}
}

// codeOfAncestor returns the code for a reason why a policy is not accepted.
func codeOfAncestor(reason string) string {
	switch reason {
	case kinds.ReasonRejectedByProxy:
		return codeRejected
	case string(gatewayv1.PolicyReasonTargetNotFound):
		return codeNoTLSTarget
	case string(gatewayv1.PolicyReasonConflicted):
		return codeTLSConflict
	}
	return codeUnusableTLS
}
