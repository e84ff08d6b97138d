package upstream

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// defaultLimitStatus is the status code of requests above a limit.
const defaultLimitStatus = 429

// limitUnits are the intervals of rates.
var limitUnits = map[policyv1alpha1.RateLimitUnit]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour}

// rateLimits reads the limits of the whole Service.
func rateLimits(spec *policyv1alpha1.RateLimitSpec, setting *Policy, found *ingest.Problems) {
	if spec == nil || spec.Local == nil {
		return
	}
	const path = "spec.rateLimit.local"
	if tcp := spec.Local.TCP; tcp != nil {
		if limit, ok := rateLimit(path+".tcp", "connections", tcp.Connections, tcp.Burst, tcp.Unit, found); ok {
			setting.ConnectionRate = &limit
		}
	}
	if http := spec.Local.HTTP; http != nil {
		if limit, ok := requestLimit(path+".http", http, found); ok {
			setting.RequestRate = &limit
		}
	}
}

// routeLimits reads the limits of single routes, sorted by path. It skips invalid ones; the limit of the whole Service
// then applies to their requests.
func routeLimits(items []policyv1alpha1.HTTPRouteSpec, undecoded any, found *ingest.Problems) []RouteRateLimit {
	var routes []RouteRateLimit
	seen := map[string]bool{}
	for i, item := range items {
		path, limits := ingest.Indexed("spec.httpRoutes", i), ptr.Deref(item.RateLimit, policyv1alpha1.HTTPPerRouteRateLimitSpec{})
		warnUnknownRouteLimits(path, undecoded, i, found)
		switch {
		case item.Path == "":
			found.Reject(ingest.ReasonInvalidName, "%s has no path, so it is left out: write the pathRegex of an HTTPRouteGroup, or .* for every path.", path)
			continue
		case seen[item.Path]:
			found.Reject(ingest.ReasonDuplicateMatch, "%s has the path %.80q of a route before it, so it is left out: write each path once.", path, item.Path)
			continue
		case limits.Local == nil && limits.Global != nil:
			continue
		case limits.Local == nil:
			found.Warn(ingest.ReasonNotUsed, "%s has no rateLimit.local, so it limits nothing: write one.", path)
			continue
		}
		seen[item.Path] = true
		if limit, ok := requestLimit(path+".rateLimit.local", limits.Local, found); ok {
			routes = append(routes, RouteRateLimit{Path: item.Path, Limit: limit})
		}
	}
	slices.SortFunc(routes, func(a, b RouteRateLimit) int { return cmp.Compare(a.Path, b.Path) })
	return routes
}

// rateLimit reads a limit whose rate is in the given field, and reports whether it is usable.
func rateLimit(path, field string, rate *int64, additional int64, unit policyv1alpha1.RateLimitUnit, found *ingest.Problems) (RateLimit, bool) {
	tokens := found.Count(path+"."+field, rate, 1)
	burst := ptr.Deref(found.Count(path+".burst", &additional, 0), 0)
	interval, known := limitUnits[unit]
	switch {
	case rate == nil:
		found.Reject(ingest.ReasonInvalidNumber, "%s.%s is missing, so there is no such limit: write how many %s are let through in each unit of time.", path, field, field)
		return RateLimit{}, false
	case tokens == nil:
		return RateLimit{}, false
	case !known:
		found.Reject(ingest.ReasonUnsupported, "%s.unit is %.40q, so there is no such limit: write second, minute or hour.", path, unit)
		return RateLimit{}, false
	case uint64(*tokens)+uint64(burst) > math.MaxUint32:
		found.Reject(ingest.ReasonInvalidNumber, "%s.%s and %s.burst add up to more than %d, so there is no such limit: write smaller numbers.", path, field, path, uint32(math.MaxUint32))
		return RateLimit{}, false
	}
	return RateLimit{Tokens: *tokens, Burst: burst, Interval: interval}, true
}

// requestLimit reads a limit of requests, and reports whether it is usable.
func requestLimit(path string, spec *policyv1alpha1.HTTPLocalRateLimitSpec, found *ingest.Problems) (RequestRateLimit, bool) {
	limit := RequestRateLimit{Status: defaultLimitStatus, Headers: limitHeaders(path+".responseHeadersToAdd", spec.ResponseHeadersToAdd, found)}
	var usable bool
	limit.RateLimit, usable = rateLimit(path, "requests", spec.Requests, spec.Burst, spec.Unit, found)
	if spec.ResponseStatusCode == nil {
		return limit, usable
	}
	if status := *spec.ResponseStatusCode; isResponseStatus(status) {
		limit.Status = uint32(status) //nolint:gosec // a status code
	} else {
		found.Reject(ingest.ReasonInvalidNumber, "%s.responseStatusCode is %d, which sidecars do not answer with, so they answer with %d: write one of 400 to 417, 421 to 424, 426, 428, 429, 431, 500 to 508, 510 and 511.", path, status, defaultLimitStatus)
	}
	return limit, usable
}

// isResponseStatus reports whether sidecars can respond with a status code: error codes that Envoy has a name for.
func isResponseStatus(status int64) bool {
	return status >= 400 && status <= 417 || status >= 421 && status <= 424 || status >= 500 && status <= 508 ||
		slices.Contains([]int64{426, 428, 429, 431, 510, 511}, status)
}

// maxLimitHeaders is the maximum number of headers that a sidecar adds to the response to requests above a limit.
const maxLimitHeaders = 10

// limitHeaders reads the response headers, in order, and skips those that cannot be added.
func limitHeaders(path string, items []policyv1alpha1.HTTPHeaderValue, found *ingest.Problems) []Header {
	var all []Header
	if len(items) > maxLimitHeaders {
		found.Reject(ingest.ReasonInvalidHeader, "%s has %d headers, and those after the first %d are left out: write fewer.", path, len(items), maxLimitHeaders)
		items = items[:maxLimitHeaders]
	}
	for i, item := range items {
		header := Header{Name: strings.ToLower(item.Name), Value: item.Value}
		if wrong := headerRejection(header); wrong != "" {
			found.Reject(ingest.ReasonInvalidHeader, "%s %.80q is left out: %s.", ingest.Indexed(path, i), header.Name, wrong)
			continue
		}
		all = append(all, header)
	}
	return all
}

// headerRejection describes why a header cannot be added to a response; empty when it can.
func headerRejection(header Header) string {
	if problem := ingest.HeaderNameProblem(ingest.HeaderChanged, header.Name); problem != "" {
		return problem + ", so write another header"
	}
	switch {
	case !httpguts.ValidHeaderFieldValue(header.Value):
		return fmt.Sprintf("its value %.40q has characters that headers cannot have", header.Value)
	case strings.Contains(strings.ReplaceAll(header.Value, "%%", ""), "%"):
		return fmt.Sprintf("its value %.40q has a single %% sign, which sidecars would read as a command: write %%%%", header.Value)
	}
	return ""
}

// warnUnknownLimits warns about kinds of rate limits that have no effect. The API keeps them, and the Go types do not have them,
// so they are read from the undecoded object.
func warnUnknownLimits(path string, limits any, found *ingest.Problems) {
	fields, _ := limits.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key != "local" && key != "global" {
			found.Warn(ingest.ReasonUnsupported, "%s.%.40s is kept and has no effect in this version of the mesh: write %s.local to limit rates.", path, key, path)
		}
	}
}

// warnUnknownRouteLimits is warnUnknownLimits for a route of the undecoded list.
func warnUnknownRouteLimits(path string, routes any, i int, found *ingest.Problems) {
	items, _ := routes.([]any)
	fields, _ := items[i].(map[string]any)
	warnUnknownLimits(path+".rateLimit", fields["rateLimit"], found)
}
