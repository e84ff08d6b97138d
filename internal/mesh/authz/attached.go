package authz

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Granted returns the requests that a client may send to the destination of an answer; none on ports without HTTP.
func (a Answer) Granted(v *catalog.View, source identity.ServiceAccount) []Route {
	if a.Destination == (identity.ServiceAccount{}) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(InboundRules(v, a.Destination, a.Port, a.Protocol).Routes), func(route Route) bool {
		return !route.AnySource && !slices.Contains(route.Sources, source)
	})
}

// Authorizer is the server of an ExternalAuthorization, which must allow HTTP requests too. Service is nil if it cannot be used.
type Authorizer struct {
	Policy  *catalog.ExternalAuthorizationPolicy
	Service *catalog.ExtensionService
}

// Authorizers returns the servers that decide about requests to the running pods of an identity, sorted by policy.
func Authorizers(v *catalog.View, destination identity.ServiceAccount) []Authorizer {
	var list []Authorizer
	for _, name := range v.AuthorizationsTo(destination) {
		if policy := v.Authorization(name); policy != nil {
			list = append(list, Authorizer{policy, v.ExtensionService(name.Namespace, policy.Service)})
		}
	}
	return list
}

// AccessLog is what a Telemetry says about access logs. Lost is true if they are exported to an ExtensionService that cannot be used.
type AccessLog struct {
	Policy *catalog.Telemetry
	Lost   bool
}

// AccessLogs returns the access logs of the running pods of an identity, sorted by policy. Without one, the log has the default format.
func AccessLogs(v *catalog.View, destination identity.ServiceAccount) []AccessLog {
	var list []AccessLog
	for _, name := range v.TelemetriesOf(destination) {
		if policy := v.Telemetry(name); policy != nil {
			lost := policy.Export != (catalog.Name{}) && v.ExtensionService(name.Namespace, policy.Export) == nil
			list = append(list, AccessLog{policy, lost})
		}
	}
	return list
}
