package explain

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// limits describes the rate limits of a Service that apply to a protocol.
func limits(v *catalog.View, service catalog.Name, protocol catalog.Protocol) []string {
	setting := scope.UpstreamSetting(v, service)
	if setting == nil {
		return nil
	}
	by := fmt.Sprintf(" (%s %s)", setting.Kind, setting.Name)
	var all []string
	if protocol.IsHTTP() {
		if r := setting.RequestRate; r != nil {
			all = append(all, fmt.Sprintf("%s for each pod, then status %d%s", rate(r.RateLimit, "request"), r.Status, by))
		}
		for _, route := range setting.Routes {
			all = append(all, fmt.Sprintf("%s for each pod for routes with the path %s, then status %d%s", rate(route.Limit.RateLimit, "request"), route.Path, route.Limit.Status, by))
		}
	}
	if r := setting.GlobalRequests; r != nil && protocol.IsHTTP() {
		all = append(all, fmt.Sprintf("requests to all pods by the %s, then status %d%s", global(r.GlobalLimit), r.Status, by))
	}
	if r := setting.GlobalConnections; r != nil {
		all = append(all, fmt.Sprintf("connections to all pods by the %s%s", global(r.GlobalLimit), by))
	}
	if r := setting.ConnectionRate; r != nil {
		all = append(all, rate(*r, "connection")+" for each pod"+by)
	}
	return all
}

// global describes the server of a limit over all pods.
func global(limit catalog.GlobalLimit) string {
	otherwise := "denied"
	if limit.FailOpen {
		otherwise = "allowed"
	}
	return fmt.Sprintf("rate limit service %s:%d, domain %s, %s without its answer within %s", limit.Address, limit.Port, limit.Domain, otherwise, limit.Timeout)
}

// rate formats a rate limit, such as "5 requests in 1s and a burst of 2".
func rate(r catalog.RateLimit, noun string) string {
	if r.Tokens != 1 {
		noun += "s"
	}
	text := fmt.Sprintf("%d %s in %s", r.Tokens, noun, r.Interval)
	if r.Burst > 0 {
		text += fmt.Sprintf(" and a burst of %d", r.Burst)
	}
	return text
}

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

// logs describes the Telemetries of the sidecars behind an identity. Without one, their access log has the default format.
func logs(v *catalog.View, destination identity.ServiceAccount) []string {
	var all []string
	for _, name := range v.TelemetriesOf(destination) {
		policy := v.Telemetry(name)
		if policy == nil {
			continue
		}
		text := "by Telemetry " + name.String()
		if policy.Filter != "" {
			text += ", if " + policy.Filter
		}
		if policy.Export != (catalog.Name{}) {
			text += ", exported to ExtensionService " + policy.Export.String()
			if v.ExtensionService(name.Namespace, policy.Export) == nil {
				text += ", which cannot be used"
			}
		}
		all = append(all, text)
	}
	return slices.Compact(all)
}
