package assess

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/finding"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// sources returns the accounts of spec.sources that do not exist.
func (m Mesh) sources(accounts []identity.ServiceAccount) []finding.Finding {
	var missing []finding.Finding
	for _, account := range accounts {
		if !m.View.Exists(finding.Account(account)) {
			missing = append(missing, finding.NotFound(finding.NoSource, finding.Account(account),
				"ServiceAccount %s of spec.sources does not exist, so nothing is granted to it: create it, or correct the name.", account))
		}
	}
	return missing
}

// peers returns the peers of sources to which a TrafficTarget grants nothing, each once.
func (m Mesh) peers(policy *catalog.TrafficTarget) []finding.Finding {
	var found []finding.Finding
	for _, peer := range lists.Unique(lists.Map(policy.PeerSources, func(source identity.PeerAccount) string { return source.Peer })) {
		switch {
		case m.View.Peer(peer) == nil:
			f := finding.NotFound(finding.NoPeer, entity.KindMeshPeer.Ref(entity.Name{Name: peer}),
				"MeshPeer %s of spec.sources does not exist, or is not accepted, so nothing is granted to its accounts: create it, correct the name, or see its status.", peer)
			f.Warning = true
			found = append(found, f)
		case m.isUnexported(policy.Destination, peer):
			found = append(found, finding.NewWarning(finding.NotExported, finding.ReasonNotExported,
				"No Service of %s is exported to MeshPeer %s, so accounts of the peer cannot call it: apply the output of `osm peer export NAMESPACE/NAME --to %s`.",
				policy.Destination, peer, peer))
		}
	}
	return found
}

// isUnexported reports whether an account has Services, and none is exported to a peer.
func (m Mesh) isUnexported(account identity.ServiceAccount, peer string) bool {
	services := m.View.ServicesOf(account)
	return len(services) > 0 && !slices.ContainsFunc(services, func(name entity.Name) bool {
		export := m.View.Export(name)
		return export != nil && export.Includes(peer)
	})
}

// disabled returns the finding that the switch of a kind in the MeshConfig is off; none if it is on.
func (m Mesh) disabled(kind entity.Kind) []finding.Finding {
	row, known := kinds.Named(string(kind))
	if !known || row.Feature == nil || m.isEnabled(kind) {
		return nil
	}
	return []finding.Finding{finding.New(finding.Disabled, finding.ReasonDisabled, "%s objects have an effect only while spec.featureFlags.%s of MeshConfig %s/%s is true: set it to true.",
		kind, row.Feature.Field, m.Namespace, names.MeshConfig)}
}

// isEnabled reports whether the mesh applies policies of a kind.
func (m Mesh) isEnabled(kind entity.Kind) bool {
	switch kind {
	case retry.Kind:
		return m.View.Settings().RetryPolicies
	case ingressbackend.Kind:
		return m.View.Settings().IngressBackends
	case entity.KindEgress:
		return m.View.Settings().EgressPolicies
	}
	return true
}
