package analyze

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// egress analyzes the references of Egresses.
func (a *analysis) egress() {
	for _, policy := range entries[*catalog.Egress](a) {
		s := a.subject(catalog.KindEgress, policy.Name)
		for _, source := range policy.Sources {
			if a.noAccount(source) {
				a.add(codeNoSource, s, "Source service account %s not found in namespace %s: correct spec.sources, or create it.", source.Name, source.Namespace)
			}
		}
		for _, name := range policy.RouteGroups {
			if !a.exists(catalog.KindHTTPRouteGroup, catalog.Name{Namespace: policy.Name.Namespace, Name: name}) {
				a.add(codeNoRoute, s, "HTTPRouteGroup %s not found, so it allows nothing: create it in namespace %s, or correct the name.", name, policy.Name.Namespace)
			}
		}
		if policy.Setting != "" && !a.exists(catalog.KindUpstreamTrafficSetting, catalog.Name{Namespace: policy.Name.Namespace, Name: policy.Setting}) {
			a.add(codeNoSetting, s, "UpstreamTrafficSetting %s not found in namespace %s, so connections have no limits: create it, or correct the name.", policy.Setting, policy.Name.Namespace)
		}
		if a.view.InForce(policy).Gateway != nil && !a.mesh.Partial && len(a.view.EgressGatewayAddresses()) == 0 {
			a.add(codeNoEgressGateway, s, "The mesh has no egress gateway, so requests fail with status 503: set spec.egressGateway.mode of the Mesh to Managed.")
		}
		if a.view.RequiresEgressGateway(policy.Name.Namespace) {
			for _, problem := range ingest.RequiredGateway(policy) {
				a.add(codeOutsideGateway, s, "%s", problem.StatusMessage())
			}
		}
		if !a.view.Settings().EgressPolicies && (!a.mesh.Partial || a.configured()) {
			a.add(codeEgressOff, s, "Egress policies are disabled: set spec.featureFlags.enableEgressPolicy to true in the MeshConfig.")
		}
	}
}

// egressConflicts returns the Egresses with a port on which an older one of the same client has a protocol that excludes theirs.
func egressConflicts(l *load.Loaded) []Conflict {
	var list []Conflict
	all := slices.Collect(func(yield func(*catalog.Egress) bool) {
		for _, entry := range l.Catalog.Entries(catalog.KindEgress) {
			if policy, ok := entry.(*catalog.Egress); ok && !yield(policy) {
				return
			}
		}
	})
	for _, policy := range all {
		for _, other := range all {
			for _, port := range policy.Ports {
				if other.Precedes(policy) && other.Excludes(port) && other.SharesSource(policy) {
					list = append(list, Conflict{
						Kind: catalog.KindEgress, Name: policy.Name, WinnerKind: catalog.KindEgress, WinnerName: other.Name,
						About: fmt.Sprintf("both have port %d, with protocols that exclude each other. Use one of them.", port.Number),
					})
				}
			}
		}
	}
	return list
}
