package ingest

import (
	"strings"
	"time"

	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const (
	// defaultLimitTimeout is that of OSM.
	defaultLimitTimeout = 20 * time.Millisecond
	// maxDescriptors bounds the descriptors of a limit, and the entries of a descriptor.
	maxDescriptors = 16
)

// globalLimits reads the limits that a server counts. A limit with an invalid part does not apply, because the rest could count
// requests that its author does not mean.
func globalLimits(spec *policyv1alpha1.UpstreamTrafficSettingSpec, setting *catalog.UpstreamTrafficSetting, found *problems) {
	if spec.RateLimit == nil || spec.RateLimit.Global == nil {
		return
	}
	global := spec.RateLimit.Global
	if tcp := global.TCP; tcp != nil {
		const path = "spec.rateLimit.global.tcp"
		before := len(*found)
		limit := &catalog.GlobalConnectionLimit{GlobalLimit: globalLimit(path, &tcp.GlobalLimitSpec, found), Descriptors: connectionDescriptors(path+".descriptors", tcp.Descriptors, found)}
		if len(*found) == before {
			setting.GlobalConnections = limit
		}
	}
	if http := global.HTTP; http != nil {
		before := len(*found)
		limit := globalRequestLimit(http, spec.HTTPRoutes, found)
		if len(*found) == before {
			setting.GlobalRequests = limit
		}
	}
}

func globalRequestLimit(http *policyv1alpha1.HTTPGlobalRateLimitSpec, routes []policyv1alpha1.HTTPRouteSpec, found *problems) *catalog.GlobalRequestLimit {
	const path = "spec.rateLimit.global.http"
	before := len(*found)
	limit := &catalog.GlobalRequestLimit{
		GlobalLimit: globalLimit(path, &http.GlobalLimitSpec, found), Descriptors: requestDescriptors(path+".descriptors", http.Descriptors, found),
		Routes: routeDescriptors(routes, found), LimitHeaders: http.EnableXRateLimitHeaders, Status: defaultLimitStatus,
	}
	if status := http.ResponseStatusCode; isResponseStatus(status) {
		limit.Status = uint32(status) //nolint:gosec // a status code
	} else if status != 0 {
		found.reject(ReasonInvalidNumber, "%s.responseStatusCode is %d, which sidecars do not answer with: write for example 429 or 503.", path, status)
	}
	if len(limit.Descriptors)+len(limit.Routes) == 0 && len(*found) == before {
		found.reject(ReasonGrantsNothing, "%s has no descriptors, and no route has any, so it limits nothing: write descriptors.", path)
	}
	return limit
}

// globalLimit reads the server and the settings of requests to it.
func globalLimit(path string, spec *policyv1alpha1.GlobalLimitSpec, found *problems) catalog.GlobalLimit {
	host, port := spec.RateLimitService.Host, spec.RateLimitService.Port
	limit := catalog.GlobalLimit{
		Address: strings.ToLower(strings.TrimSuffix(host, ".")), Domain: spec.Domain, Timeout: defaultLimitTimeout, FailOpen: ptr.Deref(spec.FailOpen, true),
	}
	if isExtensionServer(path+".rateLimitService.host", path+".rateLimitService.port", limit.Address, host, port, found) {
		limit.Port = uint16(port) //nolint:gosec // checked
	}
	if limit.Domain == "" {
		found.reject(ReasonInvalidName, "%s.domain is empty, so there is no such limit: write the domain of the limits in the rate limit service.", path)
	}
	if text := spec.Timeout; text != "" {
		timeout, _ := time.ParseDuration(text) // 0 if it is invalid
		if timeout < minTimeout || timeout > maxAuthorizationTimeout {
			found.reject(ReasonInvalidDuration, "%s.timeout %.40q is not a duration from %s to %s: write for example 20ms.", path, text, minTimeout, maxAuthorizationTimeout)
		}
		limit.Timeout = timeout
	}
	return limit
}
