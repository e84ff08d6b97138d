package explain

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/scope"
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
	if r := setting.ConnectionRate; r != nil {
		all = append(all, rate(*r, "connection")+" for each pod"+by)
	}
	return all
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
