package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// EgressAuthorities are the authorities of servers outside the mesh, in PEM.
type EgressAuthorities struct {
	// Policy is the BackendTLSPolicy that names them.
	Policy catalog.Name
	PEM    []byte
}

// egressAuthorities returns the authorities by which servers outside the mesh are verified. A policy that cannot be used has none.
func egressAuthorities(ports []authz.EgressPort) []EgressAuthorities {
	var list []EgressAuthorities
	known := map[catalog.Name]struct{}{}
	for _, port := range ports {
		for _, host := range port.Hosts {
			if host.BackendTLS == nil || host.BackendTLS.Unusable {
				continue
			}
			name := host.BackendTLS.Policy
			if _, added := known[name]; added {
				continue
			}
			known[name] = struct{}{}
			list = append(list, EgressAuthorities{Policy: name, PEM: host.BackendTLS.AuthoritiesPEM})
		}
	}
	return list
}

// HasUnreadAuthorities reports whether sidecars of a client verify servers outside the mesh with a ConfigMap that was not read yet. One that does not
// exist was read.
func HasUnreadAuthorities(v *catalog.View, client identity.ServiceAccount) bool {
	return slices.ContainsFunc(v.EgressesFrom(client), func(egress *catalog.Egress) bool {
		policy := v.BackendTLSOf(egress)
		return policy != nil && slices.ContainsFunc(policy.Authorities, func(name string) bool {
			return v.BackendAuthorities(catalog.Name{Namespace: policy.Name.Namespace, Name: name}) == nil
		})
	})
}
