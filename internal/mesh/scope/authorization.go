package scope

import "github.com/openservicemesh/osm-operator/internal/mesh/catalog"

// Authorization is a server that must allow inbound HTTP requests in addition to policies.
type Authorization struct {
	// Policy is the ExternalAuthorization in force. MeshWide is true if it is in the namespace of the mesh.
	Policy   *catalog.ExternalAuthorizationPolicy
	MeshWide bool
	// Service is the authorization server. It is nil if it cannot be used: then no request gets an answer, and the failure mode of the policy decides.
	Service *catalog.ExtensionService
}

// authorizations returns the servers of policies, that of the mesh first.
func authorizations(v *catalog.View, key Key) []Authorization {
	var list []Authorization
	for _, name := range []catalog.Name{key.MeshAuthorization, key.Authorization} {
		if policy := v.Authorization(name); policy != nil {
			list = append(list, Authorization{
				Policy: policy, MeshWide: name == key.MeshAuthorization, Service: v.ExtensionService(name.Namespace, policy.Service),
			})
		}
	}
	return list
}
