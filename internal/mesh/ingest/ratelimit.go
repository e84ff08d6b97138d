package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const (
	// defaultLimitStatus is the status code of requests above a limit.
	defaultLimitStatus = 429
	// maxLimitHeaders is the maximum number of headers that a sidecar adds to that response.
	maxLimitHeaders = 10
)

// limitUnits are the intervals of rates.
var limitUnits = map[string]time.Duration{"second": time.Second, "minute": time.Minute, "hour": time.Hour}

// reservedHeaders belong to the connection or to the message itself.
var reservedHeaders = []string{
	"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

// rateLimits reads the limits of the whole Service.
func rateLimits(spec object, setting *catalog.UpstreamTrafficSetting) {
	local := localLimit(spec)
	if tcp := local.object("tcp"); tcp.fields != nil {
		if limit, ok := rateLimit(tcp, "connections"); ok {
			setting.ConnectionRate = &limit
		}
	}
	if http := local.object("http"); http.fields != nil {
		if limit, ok := requestLimit(http); ok {
			setting.RequestRate = &limit
		}
	}
}

// localLimit is the field rateLimit.local. Fields other than that and global have no effect.
func localLimit(spec object) object {
	limit := spec.object("rateLimit")
	for _, key := range slices.Sorted(maps.Keys(limit.fields)) {
		if key != "local" && key != "global" {
			limit.problems.warn(ReasonUnsupported, "%s.%.40s is kept and has no effect in this version of the mesh: write %s.local to limit rates.", limit.path, key, limit.path)
		}
	}
	return limit.object("local")
}

// routeLimits reads the limits of single routes, sorted by path. It skips invalid ones; the limit of the whole Service
// then applies to their requests.
func routeLimits(spec object) []catalog.RouteRateLimit {
	var routes []catalog.RouteRateLimit
	seen := map[string]bool{}
	for _, item := range spec.objects("httpRoutes") {
		path, local := item.text("path"), localLimit(item)
		switch {
		case path == "":
			item.problems.reject(ReasonInvalidName, "%s has no path, so it is left out: write the pathRegex of an HTTPRouteGroup, or .* for every path.", item.path)
			continue
		case seen[path]:
			item.problems.reject(ReasonDuplicateMatch, "%s has the path %.80q of a route before it, so it is left out: write each path once.", item.path, path)
			continue
		case local.fields == nil && item.object("rateLimit").object("global").fields != nil:
			continue
		case local.fields == nil:
			item.problems.warn(ReasonNotUsed, "%s has no rateLimit.local, so it limits nothing: write one.", item.path)
			continue
		}
		seen[path] = true
		if limit, ok := requestLimit(local); ok {
			routes = append(routes, catalog.RouteRateLimit{Path: path, Limit: limit})
		}
	}
	slices.SortFunc(routes, func(a, b catalog.RouteRateLimit) int { return cmp.Compare(a.Path, b.Path) })
	return routes
}

// rateLimit reads a limit whose rate is in the given field, and reports whether it is usable.
func rateLimit(spec object, rate string) (catalog.RateLimit, bool) {
	tokens, unit := spec.count(rate, 1), spec.text("unit")
	burst := valueOrZero(spec.count("burst", 0))
	interval, known := limitUnits[unit]
	switch {
	case spec.fields[rate] == nil:
		spec.problems.reject(ReasonInvalidNumber, "%s is missing, so there is no such limit: write how many %s are let through in each unit of time.", spec.child(rate), rate)
		return catalog.RateLimit{}, false
	case tokens == nil:
		return catalog.RateLimit{}, false
	case !known:
		spec.problems.reject(ReasonUnsupported, "%s is %.40q, so there is no such limit: write second, minute or hour.", spec.child("unit"), unit)
		return catalog.RateLimit{}, false
	case uint64(*tokens)+uint64(burst) > math.MaxUint32:
		spec.problems.reject(ReasonInvalidNumber, "%s and %s add up to more than %d, so there is no such limit: write smaller numbers.", spec.child(rate), spec.child("burst"), uint32(math.MaxUint32))
		return catalog.RateLimit{}, false
	}
	return catalog.RateLimit{Tokens: *tokens, Burst: burst, Interval: interval}, true
}

// requestLimit reads a limit of requests, and reports whether it is usable.
func requestLimit(spec object) (catalog.RequestRateLimit, bool) {
	limit := catalog.RequestRateLimit{Status: defaultLimitStatus, Headers: limitHeaders(spec)}
	var usable bool
	limit.RateLimit, usable = rateLimit(spec, "requests")
	if spec.fields["responseStatusCode"] == nil {
		return limit, usable
	}
	if status := spec.whole("responseStatusCode"); isResponseStatus(status) {
		limit.Status = uint32(status)
	} else {
		spec.problems.reject(ReasonInvalidNumber, "%s is %d, which sidecars do not answer with, so they answer with %d: write one of 400 to 417, 421 to 424, 426, 428, 429, 431, 500 to 508, 510 and 511.", spec.child("responseStatusCode"), status, defaultLimitStatus)
	}
	return limit, usable
}

// isResponseStatus reports whether sidecars can respond with a status code: error codes that Envoy has a name for.
func isResponseStatus(status int64) bool {
	switch {
	case status >= 400 && status <= 417, status >= 421 && status <= 424, status >= 500 && status <= 508:
		return true
	default:
		return slices.Contains([]int64{426, 428, 429, 431, 510, 511}, status)
	}
}

// limitHeaders reads the response headers, in order, and skips those that cannot be added.
func limitHeaders(spec object) []catalog.Header {
	var all []catalog.Header
	items := spec.objects("responseHeadersToAdd")
	if len(items) > maxLimitHeaders {
		spec.problems.reject(ReasonInvalidHeader, "%s has %d headers, and those after the first %d are left out: write fewer.", spec.child("responseHeadersToAdd"), len(items), maxLimitHeaders)
		items = items[:maxLimitHeaders]
	}
	for _, item := range items {
		header := catalog.Header{Name: strings.ToLower(item.text("name")), Value: item.text("value")}
		if wrong := headerRejection(header); wrong != "" {
			item.problems.reject(ReasonInvalidHeader, "%s %.80q is left out: %s.", item.path, header.Name, wrong)
			continue
		}
		all = append(all, header)
	}
	return all
}

// headerRejection describes why a header cannot be added to a response; empty when it can.
func headerRejection(header catalog.Header) string {
	switch {
	case strings.HasPrefix(header.Name, ":"):
		return "pseudo-headers belong to the answer itself, so write an ordinary header"
	case !httpguts.ValidHeaderFieldName(header.Name):
		return "it is not the name of a header"
	case slices.Contains(reservedHeaders, header.Name):
		return "it belongs to the connection or to the message itself, so write another header"
	case !httpguts.ValidHeaderFieldValue(header.Value):
		return fmt.Sprintf("its value %.40q has characters that headers cannot have", header.Value)
	case strings.Contains(strings.ReplaceAll(header.Value, "%%", ""), "%"):
		return fmt.Sprintf("its value %.40q has a single %% sign, which sidecars would read as a command: write %%%%", header.Value)
	}
	return ""
}
