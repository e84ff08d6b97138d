package upstream

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

const (
	// defaultLimitTimeout is that of OSM.
	defaultLimitTimeout = 20 * time.Millisecond
	// maxDescriptors bounds the descriptors of a limit, and the entries of a descriptor.
	maxDescriptors = 16
)

// globalLimits reads the limits that a server counts. A limit with an invalid part does not apply, because the rest could count
// requests that its author does not mean.
func globalLimits(spec *policyv1alpha1.UpstreamTrafficSettingSpec, setting *Policy, found *ingest.Problems) {
	if spec.RateLimit == nil || spec.RateLimit.Global == nil {
		return
	}
	global := spec.RateLimit.Global
	if tcp := global.TCP; tcp != nil {
		const path = "spec.rateLimit.global.tcp"
		before := len(*found)
		limit := &GlobalConnectionLimit{
			GlobalLimit: globalLimit(path, &tcp.GlobalLimitSpec, found),
			Descriptors: connectionDescriptors(path+".descriptors", tcp.Descriptors, found),
		}
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

func globalRequestLimit(http *policyv1alpha1.HTTPGlobalRateLimitSpec, routes []policyv1alpha1.HTTPRouteSpec, found *ingest.Problems) *GlobalRequestLimit {
	const path = "spec.rateLimit.global.http"
	before := len(*found)
	limit := &GlobalRequestLimit{
		GlobalLimit: globalLimit(path, &http.GlobalLimitSpec, found), Descriptors: requestDescriptors(path+".descriptors", http.Descriptors, found),
		Routes: routeDescriptors(routes, found), LimitHeaders: http.EnableXRateLimitHeaders, Status: defaultLimitStatus,
	}
	if status := http.ResponseStatusCode; isResponseStatus(status) {
		limit.Status = uint32(status) //nolint:gosec // a status code
	} else if status != 0 {
		found.Reject(ingest.ReasonInvalidNumber, "%s.responseStatusCode is %d, which sidecars do not answer with: write for example 429 or 503.", path, status)
	}
	if len(limit.Descriptors)+len(limit.Routes) == 0 && len(*found) == before {
		found.Reject(ingest.ReasonGrantsNothing, "%s has no descriptors, and no route has any, so it limits nothing: write descriptors.", path)
	}
	return limit
}

// globalLimit reads the server and the settings of requests to it.
func globalLimit(path string, spec *policyv1alpha1.GlobalLimitSpec, found *ingest.Problems) GlobalLimit {
	host, port := spec.RateLimitService.Host, spec.RateLimitService.Port
	limit := GlobalLimit{
		Address: strings.ToLower(strings.TrimSuffix(host, ".")), Domain: spec.Domain, Timeout: defaultLimitTimeout, FailOpen: ptr.Deref(spec.FailOpen, true),
	}
	if ingest.IsServer(path+".rateLimitService.host", path+".rateLimitService.port", limit.Address, host, port, found) {
		limit.Port = uint16(port) //nolint:gosec // checked
	}
	if limit.Domain == "" {
		found.Reject(ingest.ReasonInvalidName, "%s.domain is empty, so there is no such limit: write the domain of the limits in the rate limit service.", path)
	}
	if text := spec.Timeout; text != "" {
		timeout, _ := time.ParseDuration(text) // 0 if it is invalid
		if timeout < ingest.MinTimeout || timeout > ingest.MaxDecisionTimeout {
			found.Reject(ingest.ReasonInvalidDuration, "%s.timeout %.40q is not a duration from %s to %s: write for example 20ms.", path, text, ingest.MinTimeout, ingest.MaxDecisionTimeout)
		}
		limit.Timeout = timeout
	}
	return limit
}

func connectionDescriptors(path string, items []policyv1alpha1.TCPRateLimitDescriptor, found *ingest.Problems) []ConnectionDescriptor {
	var all []ConnectionDescriptor
	for i, item := range bounded(path, items, found) {
		var descriptor ConnectionDescriptor
		path := ingest.Indexed(path, i) + ".entries"
		for j, entry := range descriptorEntries(path, item.Entries, found) {
			if entry.Key == "" || entry.Value == "" {
				found.Reject(ingest.ReasonInvalidName, "%s needs a key and a value, so there is no such limit: write both.", ingest.Indexed(path, j))
			}
			descriptor = append(descriptor, DescriptorEntry(entry))
		}
		all = append(all, descriptor)
	}
	if len(all) == 0 {
		found.Reject(ingest.ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one descriptor.", path)
	}
	return all
}

func requestDescriptors(path string, items []policyv1alpha1.HTTPGlobalRateLimitDescriptor, found *ingest.Problems) []RequestDescriptor {
	var all []RequestDescriptor
	for i, item := range bounded(path, items, found) {
		var descriptor RequestDescriptor
		path := ingest.Indexed(path, i) + ".entries"
		for j, entry := range descriptorEntries(path, item.Entries, found) {
			descriptor = append(descriptor, requestEntry(ingest.Indexed(path, j), &entry, found))
		}
		all = append(all, descriptor)
	}
	return all
}

// routeDescriptors reads the descriptors of single routes, sorted by path.
func routeDescriptors(items []policyv1alpha1.HTTPRouteSpec, found *ingest.Problems) []RouteDescriptors {
	var routes []RouteDescriptors
	for i, item := range items {
		if item.RateLimit == nil || item.RateLimit.Global == nil {
			continue
		}
		descriptors := requestDescriptors(ingest.Indexed("spec.httpRoutes", i)+".rateLimit.global.descriptors", item.RateLimit.Global.Descriptors, found)
		if item.Path != "" && len(descriptors) > 0 {
			routes = append(routes, RouteDescriptors{Path: item.Path, Descriptors: descriptors})
		}
	}
	slices.SortStableFunc(routes, func(a, b RouteDescriptors) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(routes, func(a, b RouteDescriptors) bool { return a.Path == b.Path })
}

func descriptorEntries[T any](path string, items []T, found *ingest.Problems) []T {
	entries := bounded(path, items, found)
	if len(entries) == 0 {
		found.Reject(ingest.ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one entry.", path)
	}
	return entries
}

func bounded[T any](path string, items []T, found *ingest.Problems) []T {
	if len(items) > maxDescriptors {
		found.Reject(ingest.ReasonInvalidNumber, "%s has %d elements, so there is no such limit: write at most %d.", path, len(items), maxDescriptors)
		return nil
	}
	return items
}

// requestEntry reads an entry, which has exactly one of four fields.
func requestEntry(path string, entry *policyv1alpha1.HTTPGlobalRateLimitDescriptorEntry, found *ingest.Problems) RequestEntry {
	generic, header, match := entry.GenericKey, entry.RequestHeader, entry.HeaderValueMatch
	set := 0
	for _, isSet := range []bool{generic != nil, entry.RemoteAddress != nil, header != nil, match != nil} {
		if isSet {
			set++
		}
	}
	if set != 1 {
		found.Reject(ingest.ReasonInvalidName, "%s needs exactly one of genericKey, remoteAddress, requestHeader and headerValueMatch, so there is no such limit.", path)
		return RequestEntry{}
	}
	switch {
	case generic != nil:
		return RequestEntry{Key: generic.Key, Value: required(path+".genericKey.value", generic.Value, found)}
	case header != nil:
		path += ".requestHeader"
		return RequestEntry{Key: required(path+".key", header.Key, found), Header: headerName(path+".name", header.Name, found)}
	case match != nil:
		path += ".headerValueMatch"
		return RequestEntry{
			Key: match.Key, Value: required(path+".value", match.Value, found), Match: limitHeaderMatches(path+".headers", match.Headers, found),
			Unmatched: !ptr.Deref(match.ExpectMatch, true),
		}
	}
	return RequestEntry{}
}

func required(path, value string, found *ingest.Problems) string {
	if value == "" {
		found.Reject(ingest.ReasonInvalidName, "%s is empty, so there is no such limit: write a text.", path)
	}
	return value
}

func headerName(path, name string, found *ingest.Problems) string {
	name = strings.ToLower(required(path, name, found))
	if problem := ingest.HeaderNameProblem(ingest.HeaderCounted, name); name != "" && problem != "" {
		found.Reject(ingest.ReasonInvalidHeader, "%s is %.80q, so there is no such limit: %s.", path, name, problem)
	}
	return name
}

func limitHeaderMatches(path string, items []policyv1alpha1.HTTPHeaderMatcher, found *ingest.Problems) []LimitHeaderMatch {
	var all []LimitHeaderMatch
	for i, item := range bounded(path, items, found) {
		match := LimitHeaderMatch{Name: headerName(ingest.Indexed(path, i)+".name", item.Name, found), Kind: "present"}
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
		if err := ingest.CheckRegex(match.Value); match.Kind == "regex" && err != nil {
			found.Reject(ingest.ReasonInvalidRegex, "%s.regex: %s.", ingest.Indexed(path, i), err)
		}
		all = append(all, match)
	}
	if len(all) == 0 {
		found.Reject(ingest.ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one header.", path)
	}
	return all
}
