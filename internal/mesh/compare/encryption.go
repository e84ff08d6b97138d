package compare

import (
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Encryption is a change of how a sidecar encrypts the requests of its application to a host outside the mesh.
type Encryption struct {
	// From is a service account, "<namespace>/<name>", and To "<host>:<port>".
	From string `json:"from"`
	To   string `json:"to"`
	// Before and After are the BackendTLSPolicies that encrypt the requests, "<namespace>/<name>". Without one, they leave the mesh as they are.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// compareEncryption compares the hosts to which a source may send requests on both sides. Requests that a policy denies are flows.
func (f *flows) compareEncryption(source identity.ServiceAccount, before, after []authz.EgressPort) {
	old, current := encryptionOf(before), encryptionOf(after)
	for _, host := range slices.SortedFunc(maps.Keys(current), outsideHost.compare) {
		earlier, existed := old[host]
		if existed && earlier != current[host] {
			f.encryptions = append(f.encryptions, Encryption{From: entity.Name(source).String(), To: host.String(), Before: earlier, After: current[host]})
		}
	}
}

// encryptionOf returns the policy for each host with requests; empty for none. Hosts whose requests cannot be encrypted are omitted.
func encryptionOf(ports []authz.EgressPort) map[outsideHost]string {
	hosts := map[outsideHost]string{}
	for _, port := range ports {
		for _, host := range port.Hosts {
			id := outsideHost{host.Host, port.Number}
			switch {
			case !host.HTTP, host.BackendTLS != nil && host.BackendTLS.Unusable:
			case host.BackendTLS != nil:
				hosts[id] = host.BackendTLS.Policy.String()
			default:
				hosts[id] = ""
			}
		}
	}
	return hosts
}
