package assess

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func (m Mesh) egress(policy *catalog.Egress) []finding.Finding {
	found := m.disabled(entity.KindEgress)
	if m.View.RequiresEgressGateway(policy.Name.Namespace) {
		for _, lost := range ingest.RequiredGateway(policy) {
			found = append(found, finding.Finding{Cause: finding.OutsideGateway, Problem: lost})
		}
	}
	applied := m.View.InForce(policy)
	found = append(found, m.protectedHosts(applied)...)
	found = append(found, lists.Map(authz.EgressConflicts(m.View, policy), egressConflict)...)
	found = append(found, m.sources(policy.Sources)...)
	found = append(found, finding.RouteGroups(m.View, policy.Name.Namespace, policy.RouteGroups)...)
	found = append(found, m.egressSetting(policy)...)
	return append(found, m.egressGateway(applied)...)
}

// egressConflict describes what another Egress decides.
func egressConflict(c authz.EgressConflict) finding.Finding {
	winner := entity.Ref{Kind: entity.KindEgress, Name: c.Winner}
	switch {
	case c.Setting:
		where := fmt.Sprintf("to %s on port %d", c.Host, c.Port.Number)
		if c.Host == "" {
			where = fmt.Sprintf("on port %d", c.Port.Number)
		}
		conflict := finding.NewConflict(winner, "Egress %s is older and limits the connections %s for their common sources, so the UpstreamTrafficSetting of this one does not: use one UpstreamTrafficSetting.", c.Winner, where)
		conflict.Warning = true
		return conflict
	case c.Encryption != (entity.Name{}):
		return encryptionConflict(winner, c)
	case c.Host != "":
		return finding.NewConflict(winner,
			"Egress %s sends requests to %s on port %d through the egress gateway and decides alone about them, so this one has no effect on them for their common sources: use one Egress.",
			c.Winner, c.Host, c.Port.Number)
	}
	return finding.NewConflict(winner, "Egress %s is older and has port %d with a protocol that excludes %s, so this one has no effect on that port for their common sources: use one protocol.",
		c.Winner, c.Port.Number, c.Port.Protocol)
}

// encryptionConflict describes requests that are not sent because of the BackendTLSPolicy of another Egress.
func encryptionConflict(winner entity.Ref, c authz.EgressConflict) finding.Finding {
	reason, remedy := "cannot be used", "see the status of the BackendTLSPolicy"
	if !c.Unusable {
		reason, remedy = "does not apply in the egress gateway, to which this one sends them", "delete the BackendTLSPolicy, and set spec.gateway.tls of this Egress"
	}
	return finding.NewConflict(winner,
		"The BackendTLSPolicy %s of Egress %s must encrypt requests to %s on port %d and %s, so they get status 503 for their common sources: %s.",
		c.Encryption, c.Winner, c.Host, c.Port.Number, reason, remedy)
}

// protectedHosts returns the hosts to which the egress gateway does not forward.
func (m Mesh) protectedHosts(policy *catalog.Egress) []finding.Finding {
	if policy.Gateway == nil {
		return nil
	}
	var found []finding.Finding
	hosts := m.View.ForwardedHosts()
	for _, host := range policy.Hosts {
		if !hosts.Allows(host) {
			found = append(found, finding.New(finding.ProtectedHost, ingest.ReasonRejectedAddress,
				"The host %s of spec.hosts is or can be in the cluster, so the egress gateway does not forward to it: name a host outside by its complete name, or add the namespace of the host to spec.egressGateway.allowedNamespaces of the Mesh. It never forwards to the namespace of the mesh and to kube-system.", host))
		}
	}
	return found
}

func (m Mesh) egressSetting(policy *catalog.Egress) []finding.Finding {
	if policy.Setting == "" {
		return nil
	}
	ref := entity.Ref{Kind: upstream.Kind, Name: entity.Name{Namespace: policy.Name.Namespace, Name: policy.Setting}}
	if m.View.Exists(ref) {
		return nil
	}
	return []finding.Finding{finding.NotFound(finding.NoSetting, ref, "UpstreamTrafficSetting %s does not exist, so connections have no limits: create it, or correct the name.", ref.Name)}
}

// egressGateway returns what an Egress with the egress gateway lacks: the gateway, or a usable Secret. Requests get status 503 without it.
func (m Mesh) egressGateway(policy *catalog.Egress) []finding.Finding {
	if policy.Gateway == nil {
		return nil
	}
	var found []finding.Finding
	service := entity.Name{Namespace: m.Namespace, Name: names.EgressGateway}
	switch {
	case !m.View.Exists(finding.Service(service)):
		found = append(found, finding.NotFound(finding.NoEgressGateway, entity.Ref{},
			"The mesh has no egress gateway, so requests get status 503: set spec.egressGateway.mode of the Mesh to Managed, or remove spec.gateway and the annotation %s of the namespace.", names.EgressGatewayAnnotation))
	case !m.View.HasReadyEndpoint(service):
		found = append(found, finding.NotFound(finding.IdleEgressGateway, entity.Ref{}, "No pod of the egress gateway is ready, so requests get status 503: see the Deployment %s.", service))
	}
	name, encrypted := policy.Credential()
	if !encrypted {
		return found
	}
	if credential := m.View.EgressCredential(name); credential != nil && credential.Problem != "" {
		found = append(found, finding.NotFound(finding.NoCredential, entity.Ref{}, "%s Until then, requests that the egress gateway should encrypt get status 503.", credential.Problem))
	}
	return found
}
