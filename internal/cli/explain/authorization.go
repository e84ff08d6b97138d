package explain

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// authorizers describes the servers of ExternalAuthorizations that decide about requests to an identity in addition to policies.
func (e evaluator) authorizers(destination identity.ServiceAccount, protocol catalog.Protocol) []string {
	if !protocol.IsHTTP() {
		return nil
	}
	var all []string
	for _, name := range e.v.AuthorizationsTo(destination) {
		policy := e.v.Authorization(name)
		if policy == nil {
			continue
		}
		otherwise := "gets status 503"
		if policy.FailureModeAllow {
			otherwise = "is allowed"
		}
		if e.v.ExtensionService(name.Namespace, policy.Service) == nil {
			all = append(all, fmt.Sprintf("the ExtensionService %s of ExternalAuthorization %s cannot be used, so the request %s", policy.Service, name, otherwise))
			continue
		}
		all = append(all, fmt.Sprintf("the ExtensionService %s must allow the request too; without its answer within %s the request %s (ExternalAuthorization %s)",
			policy.Service, policy.Timeout, otherwise, name))
	}
	return all
}
