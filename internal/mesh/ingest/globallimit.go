package ingest

import (
	"cmp"
	"slices"
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
		limit := &catalog.GlobalConnectionLimit{GlobalLimit: globalLimit(path, &tcp.GlobalLimitSpec, found),
			Descriptors: connectionDescriptors(path+".descriptors", tcp.Descriptors, found)}
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
		if timeout < MinTimeout || timeout > maxAuthorizationTimeout {
			found.reject(ReasonInvalidDuration, "%s.timeout %.40q is not a duration from %s to %s: write for example 20ms.", path, text, MinTimeout, maxAuthorizationTimeout)
		}
		limit.Timeout = timeout
	}
	return limit
}

func connectionDescriptors(path string, items []policyv1alpha1.TCPRateLimitDescriptor, found *problems) []catalog.ConnectionDescriptor {
	var all []catalog.ConnectionDescriptor
	for i, item := range bounded(path, items, found) {
		var descriptor catalog.ConnectionDescriptor
		path := indexed(path, i) + ".entries"
		for j, entry := range descriptorEntries(path, item.Entries, found) {
			if entry.Key == "" || entry.Value == "" {
				found.reject(ReasonInvalidName, "%s needs a key and a value, so there is no such limit: write both.", indexed(path, j))
			}
			descriptor = append(descriptor, catalog.DescriptorEntry(entry))
		}
		all = append(all, descriptor)
	}
	if len(all) == 0 {
		found.reject(ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one descriptor.", path)
	}
	return all
}

func requestDescriptors(path string, items []policyv1alpha1.HTTPGlobalRateLimitDescriptor, found *problems) []catalog.RequestDescriptor {
	var all []catalog.RequestDescriptor
	for i, item := range bounded(path, items, found) {
		var descriptor catalog.RequestDescriptor
		path := indexed(path, i) + ".entries"
		for j, entry := range descriptorEntries(path, item.Entries, found) {
			descriptor = append(descriptor, requestEntry(indexed(path, j), &entry, found))
		}
		all = append(all, descriptor)
	}
	return all
}

// routeDescriptors reads the descriptors of single routes, sorted by path.
func routeDescriptors(items []policyv1alpha1.HTTPRouteSpec, found *problems) []catalog.RouteDescriptors {
	var routes []catalog.RouteDescriptors
	for i, item := range items {
		if item.RateLimit == nil || item.RateLimit.Global == nil {
			continue
		}
		descriptors := requestDescriptors(indexed("spec.httpRoutes", i)+".rateLimit.global.descriptors", item.RateLimit.Global.Descriptors, found)
		if item.Path != "" && len(descriptors) > 0 {
			routes = append(routes, catalog.RouteDescriptors{Path: item.Path, Descriptors: descriptors})
		}
	}
	slices.SortStableFunc(routes, func(a, b catalog.RouteDescriptors) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(routes, func(a, b catalog.RouteDescriptors) bool { return a.Path == b.Path })
}

func descriptorEntries[T any](path string, items []T, found *problems) []T {
	entries := bounded(path, items, found)
	if len(entries) == 0 {
		found.reject(ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one entry.", path)
	}
	return entries
}

func bounded[T any](path string, items []T, found *problems) []T {
	if len(items) > maxDescriptors {
		found.reject(ReasonInvalidNumber, "%s has %d elements, so there is no such limit: write at most %d.", path, len(items), maxDescriptors)
		return nil
	}
	return items
}

// requestEntry reads an entry, which has exactly one of four fields.
func requestEntry(path string, entry *policyv1alpha1.HTTPGlobalRateLimitDescriptorEntry, found *problems) catalog.RequestEntry {
	generic, header, match := entry.GenericKey, entry.RequestHeader, entry.HeaderValueMatch
	set := 0
	for _, isSet := range []bool{generic != nil, entry.RemoteAddress != nil, header != nil, match != nil} {
		if isSet {
			set++
		}
	}
	if set != 1 {
		found.reject(ReasonInvalidName, "%s needs exactly one of genericKey, remoteAddress, requestHeader and headerValueMatch, so there is no such limit.", path)
		return catalog.RequestEntry{}
	}
	switch {
	case generic != nil:
		return catalog.RequestEntry{Key: generic.Key, Value: required(path+".genericKey.value", generic.Value, found)}
	case header != nil:
		path += ".requestHeader"
		return catalog.RequestEntry{Key: required(path+".key", header.Key, found), Header: headerName(path+".name", header.Name, found)}
	case match != nil:
		path += ".headerValueMatch"
		return catalog.RequestEntry{
			Key: match.Key, Value: required(path+".value", match.Value, found), Match: limitHeaderMatches(path+".headers", match.Headers, found),
			Unmatched: !ptr.Deref(match.ExpectMatch, true),
		}
	}
	return catalog.RequestEntry{}
}

func required(path, value string, found *problems) string {
	if value == "" {
		found.reject(ReasonInvalidName, "%s is empty, so there is no such limit: write a text.", path)
	}
	return value
}

func headerName(path, name string, found *problems) string {
	name = strings.ToLower(required(path, name, found))
	if problem := headerNameProblem(headerCounted, name); name != "" && problem != "" {
		found.reject(ReasonInvalidHeader, "%s is %.80q, so there is no such limit: %s.", path, name, problem)
	}
	return name
}

func limitHeaderMatches(path string, items []policyv1alpha1.HTTPHeaderMatcher, found *problems) []catalog.LimitHeaderMatch {
	var all []catalog.LimitHeaderMatch
	for i, item := range bounded(path, items, found) {
		match := catalog.LimitHeaderMatch{Name: headerName(indexed(path, i)+".name", item.Name, found), Kind: "present"}
		if !ptr.Deref(item.Present, true) {
			match.Kind = "absent"
		}
		for _, condition := range []struct{ kind, value string }{
			{"exact", item.Exact}, {"prefix", item.Prefix}, {"suffix", item.Suffix}, {"regex", item.Regex}, {"contains", item.Contains},
		} {
			if condition.value != "" {
				match.Kind, match.Value = condition.kind, condition.value
			}
		}
		if err := checkRegex(match.Value); match.Kind == "regex" && err != nil {
			found.reject(ReasonInvalidRegex, "%s.regex: %s.", indexed(path, i), err)
		}
		all = append(all, match)
	}
	if len(all) == 0 {
		found.reject(ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one header.", path)
	}
	return all
}
