package gateway

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// AncestorStatus is the status of a BackendTLSPolicy for one of its targets.
type AncestorStatus struct {
	Target                 catalog.PolicyTarget
	Accepted, ResolvedRefs Verdict
}

// EffectOf is the effect of a policy that cannot be used on a target.
func EffectOf(target catalog.PolicyTarget) string {
	if target.IsExtensionService() || target.IsService() {
		return "Sidecars do not connect to the " + target.Kind + "."
	}
	return noRequests
}

const noRequests = "Requests to the http ports of the Egress get 503."

// BackendTLSStatus returns the status of a policy of the mesh for each target. A Service that is no server of the mesh has none: the policy is for
// another controller, such as an ingress controller in front of the mesh.
func BackendTLSStatus(v *catalog.View, policy *catalog.BackendTLSPolicy) []AncestorStatus {
	_, problem := authz.BackendAuthorities(v, policy)
	resolved := yes(gatewayv1.BackendTLSPolicyReasonResolvedRefs)
	switch {
	case policy.OtherAuthorities != "":
		resolved = no(gatewayv1.BackendTLSPolicyReasonInvalidKind, "%s", problem)
	case problem != "":
		resolved = no(gatewayv1.BackendTLSPolicyReasonInvalidCACertificateRef, "%s", problem)
	}
	var list []AncestorStatus
	for _, target := range policy.Targets {
		if !concernsMesh(v, policy, target) {
			continue
		}
		accepted := acceptTarget(v, policy, target)
		if accepted.OK && problem != "" {
			accepted = no(unresolvedReason(v, policy), "%s %s", problem, EffectOf(target))
		}
		list = append(list, AncestorStatus{target, accepted, resolved})
	}
	return list
}

// concernsMesh reports whether a target of a policy is one of the mesh.
func concernsMesh(v *catalog.View, policy *catalog.BackendTLSPolicy, target catalog.PolicyTarget) bool {
	switch {
	case target.IsEgress():
		return v.InMesh(policy.Name.Namespace)
	case target.IsService():
		return len(v.ServersAt(entity.Name{Namespace: policy.Name.Namespace, Name: target.Name})) > 0
	}
	return target.Group == catalog.PolicyGroup || target.Group == catalog.ConfigGroup
}

// ServerAuthorities returns the ConfigMaps to which policies refer that concern the mesh, those of older policies first, and an entry with a problem
// for each one beyond MaxAuthorities of its namespace.
func ServerAuthorities(v *catalog.View) (names []entity.Name, excess map[entity.Name]*catalog.BackendAuthorities) {
	excess = map[entity.Name]*catalog.BackendAuthorities{}
	known, count := nameSet{}, map[string]int{}
	policies := v.BackendTLSPolicies()
	slices.SortStableFunc(policies, func(a, b *catalog.BackendTLSPolicy) int { return a.Created.Compare(b.Created) })
	for _, policy := range policies {
		if !slices.ContainsFunc(policy.Targets, func(t catalog.PolicyTarget) bool {
			return t.IsEgress() || t.IsExtensionService() || t.IsService() && concernsMesh(v, policy, t)
		}) {
			continue
		}
		for _, authorities := range policy.Authorities {
			name := entity.Name{Namespace: policy.Name.Namespace, Name: authorities}
			if _, listed := known[name]; listed {
				continue
			}
			known[name] = struct{}{}
			names = append(names, name)
			if count[name.Namespace]++; count[name.Namespace] > MaxAuthorities {
				excess[name] = &catalog.BackendAuthorities{Name: name, Problem: fmt.Sprintf(
					"The BackendTLSPolicies of namespace %s refer to more than %d ConfigMaps, so this one is not read: %s.", name.Namespace, MaxAuthorities, name.Name,
				)}
			}
		}
	}
	return names, excess
}

// acceptTarget reports whether a policy encrypts the requests of a target, if its authorities can be used.
func acceptTarget(v *catalog.View, policy *catalog.BackendTLSPolicy, target catalog.PolicyTarget) Verdict {
	switch {
	case target.IsExtensionService():
		return acceptServer(v, policy, target)
	case target.IsService():
		return acceptServingService(v, policy, target)
	case !target.IsEgress():
		return no(gatewayv1.PolicyReasonInvalid, "The mesh applies a BackendTLSPolicy to destinations outside of it, not to a %s: refer to an Egress, an ExtensionService, or a Service that the MeshConfig or a policy names as a server.", target.Kind)
	}
	egress := v.Egress(entity.Name{Namespace: policy.Name.Namespace, Name: target.Name})
	if egress == nil {
		return no(gatewayv1.PolicyReasonTargetNotFound, "The namespace has no Egress %s that can be used.", target.Name)
	}
	oldest := v.BackendTLSOf(egress)
	switch {
	case egress.Gateway != nil:
		return no(gatewayv1.PolicyReasonInvalid, "The Egress %s uses the egress gateway, so this policy has no effect: set spec.gateway.tls of the Egress.", target.Name)
	case oldest.Name != policy.Name:
		return no(gatewayv1.PolicyReasonConflicted, "The older BackendTLSPolicy %s applies to the Egress %s: delete one of them.", oldest.Name.Name, target.Name)
	case v.RequiresEgressGateway(policy.Name.Namespace):
		return no(gatewayv1.PolicyReasonInvalid, "The namespace requires the egress gateway, which does not apply the policy: set spec.gateway.tls of the Egress. %s", noRequests)
	case policy.Problem != "":
		return no(gatewayv1.PolicyReasonInvalid, "%s %s", policy.Problem, noRequests)
	}
	return Verdict{OK: true, Reason: string(gatewayv1.PolicyReasonAccepted), Message: fmt.Sprintf("Sidecars encrypt requests to the http ports of the Egress %s.", target.Name)}
}

// acceptServer is acceptTarget for an ExtensionService.
func acceptServer(v *catalog.View, policy *catalog.BackendTLSPolicy, target catalog.PolicyTarget) Verdict {
	name := entity.Name{Namespace: policy.Name.Namespace, Name: target.Name}
	if v.ExtensionService(name.Namespace, name) == nil {
		return no(gatewayv1.PolicyReasonTargetNotFound, "The namespace has no ExtensionService %s that can be used.", target.Name)
	}
	if oldest := v.BackendTLSOfServer(name); oldest.Name != policy.Name {
		return no(gatewayv1.PolicyReasonConflicted, "The older BackendTLSPolicy %s applies to the ExtensionService %s: delete one of them.", oldest.Name.Name, target.Name)
	}
	if policy.Problem != "" {
		return no(gatewayv1.PolicyReasonInvalid, "%s %s", policy.Problem, EffectOf(target))
	}
	return Verdict{
		OK: true, Reason: string(gatewayv1.PolicyReasonAccepted),
		Message: fmt.Sprintf("Sidecars encrypt connections to the ExtensionService %s.", target.Name),
	}
}

// acceptServingService is acceptTarget for a Service that is a server of the mesh. It is accepted if it applies to one of the ports.
func acceptServingService(v *catalog.View, policy *catalog.BackendTLSPolicy, target catalog.PolicyTarget) Verdict {
	service := entity.Name{Namespace: policy.Name.Namespace, Name: target.Name}
	var other *catalog.BackendTLSPolicy
	applies := false
	for _, server := range v.ServersAt(service) {
		applied := v.BackendTLSOfService(service, server.Port)
		if applied != nil && applied.Name == policy.Name {
			applies = true
		} else if applied != nil {
			other = applied
		}
	}
	switch {
	case !applies && other != nil:
		return no(gatewayv1.PolicyReasonConflicted, "The BackendTLSPolicy %s, which is older or names the port, applies to the Service %s: delete one of them.", other.Name.Name, target.Name)
	case !applies:
		return no(gatewayv1.PolicyReasonTargetNotFound, "The Service %s has no port %s to which sidecars connect.", target.Name, target.Section)
	case policy.Problem != "":
		return no(gatewayv1.PolicyReasonInvalid, "%s %s", policy.Problem, EffectOf(target))
	}
	return Verdict{OK: true, Reason: string(gatewayv1.PolicyReasonAccepted), Message: fmt.Sprintf("Sidecars encrypt their own connections to the Service %s, which is a server of the mesh.", target.Name)}
}

// unresolvedReason is why a policy with an unusable reference is not accepted. It needs each of its ConfigMaps.
func unresolvedReason(v *catalog.View, policy *catalog.BackendTLSPolicy) gatewayv1.PolicyConditionReason {
	for _, name := range policy.Authorities {
		if a := v.BackendAuthorities(entity.Name{Namespace: policy.Name.Namespace, Name: name}); a != nil && a.Problem == "" {
			return gatewayv1.PolicyReasonInvalid
		}
	}
	return gatewayv1.BackendTLSPolicyReasonNoValidCACertificate
}
