package ingest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

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
func globalLimits(spec object, setting *catalog.UpstreamTrafficSetting) {
	global := spec.object("rateLimit").object("global")
	if tcp := global.object("tcp"); tcp.fields != nil {
		before := len(*spec.problems)
		limit := &catalog.GlobalConnectionLimit{GlobalLimit: globalLimit(tcp), Descriptors: connectionDescriptors(tcp)}
		if len(*spec.problems) == before {
			setting.GlobalConnections = limit
		}
	}
	if http := global.object("http"); http.fields != nil {
		before := len(*spec.problems)
		limit := &catalog.GlobalRequestLimit{
			GlobalLimit: globalLimit(http), Descriptors: requestDescriptors(http), Routes: routeDescriptors(spec),
			LimitHeaders: http.flag("enableXRateLimitHeaders"), Status: defaultLimitStatus,
		}
		if status := http.whole("responseStatusCode"); isResponseStatus(status) {
			limit.Status = uint32(status) //nolint:gosec // a status code
		} else if status != 0 {
			http.problems.reject(ReasonInvalidNumber, "%s is %d, which sidecars do not answer with: write for example 429 or 503.", http.child("responseStatusCode"), status)
		}
		if len(limit.Descriptors)+len(limit.Routes) == 0 && len(*spec.problems) == before {
			http.problems.reject(ReasonGrantsNothing, "%s has no descriptors, and no route has any, so it limits nothing: write descriptors.", http.path)
		}
		if len(*spec.problems) == before {
			setting.GlobalRequests = limit
		}
	}
}

// globalLimit reads the server and the settings of requests to it.
func globalLimit(spec object) catalog.GlobalLimit {
	server := spec.object("rateLimitService")
	host, port := server.text("host"), server.whole("port")
	limit := catalog.GlobalLimit{
		Address: strings.ToLower(strings.TrimSuffix(host, ".")), Domain: spec.text("domain"), Timeout: defaultLimitTimeout, FailOpen: true,
	}
	if isExtensionServer(server.child("host"), server.child("port"), limit.Address, host, port, spec.problems) {
		limit.Port = uint16(port) //nolint:gosec // checked
	}
	if limit.Domain == "" {
		spec.problems.reject(ReasonInvalidName, "%s is empty, so there is no such limit: write the domain of the limits in the rate limit service.", spec.child("domain"))
	}
	if text := spec.text("timeout"); text != "" {
		timeout, _ := time.ParseDuration(text) // 0 if it is invalid
		if timeout < minTimeout || timeout > maxAuthorizationTimeout {
			spec.problems.reject(ReasonInvalidDuration, "%s %.40q is not a duration from %s to %s: write for example 20ms.", spec.child("timeout"), text, minTimeout, maxAuthorizationTimeout)
		}
		limit.Timeout = timeout
	}
	if spec.fields["failOpen"] != nil {
		limit.FailOpen = spec.flag("failOpen")
	}
	return limit
}

func connectionDescriptors(spec object) []catalog.ConnectionDescriptor {
	var all []catalog.ConnectionDescriptor
	for _, item := range descriptorItems(spec) {
		var descriptor catalog.ConnectionDescriptor
		for _, entry := range descriptorEntries(item) {
			e := catalog.DescriptorEntry{Key: entry.text("key"), Value: entry.text("value")}
			if e.Key == "" || e.Value == "" {
				entry.problems.reject(ReasonInvalidName, "%s needs a key and a value, so there is no such limit: write both.", entry.path)
			}
			descriptor = append(descriptor, e)
		}
		all = append(all, descriptor)
	}
	if len(all) == 0 {
		spec.problems.reject(ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one descriptor.", spec.child("descriptors"))
	}
	return all
}

func requestDescriptors(spec object) []catalog.RequestDescriptor {
	var all []catalog.RequestDescriptor
	for _, item := range descriptorItems(spec) {
		var descriptor catalog.RequestDescriptor
		for _, entry := range descriptorEntries(item) {
			descriptor = append(descriptor, requestEntry(entry))
		}
		all = append(all, descriptor)
	}
	return all
}

// routeDescriptors reads the descriptors of single routes, sorted by path.
func routeDescriptors(spec object) []catalog.RouteDescriptors {
	var routes []catalog.RouteDescriptors
	for _, item := range spec.objects("httpRoutes") {
		descriptors := requestDescriptors(item.object("rateLimit").object("global"))
		if path := item.text("path"); path != "" && len(descriptors) > 0 {
			routes = append(routes, catalog.RouteDescriptors{Path: path, Descriptors: descriptors})
		}
	}
	slices.SortStableFunc(routes, func(a, b catalog.RouteDescriptors) int { return cmp.Compare(a.Path, b.Path) })
	return slices.CompactFunc(routes, func(a, b catalog.RouteDescriptors) bool { return a.Path == b.Path })
}

func descriptorItems(spec object) []object { return bounded(spec, "descriptors") }

func descriptorEntries(item object) []object {
	entries := bounded(item, "entries")
	if len(entries) == 0 {
		item.problems.reject(ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one entry.", item.child("entries"))
	}
	return entries
}

func bounded(spec object, key string) []object {
	items := spec.objects(key)
	if len(items) > maxDescriptors {
		spec.problems.reject(ReasonInvalidNumber, "%s has %d elements, so there is no such limit: write at most %d.", spec.child(key), len(items), maxDescriptors)
		return nil
	}
	return items
}

// requestEntry reads an entry, which has exactly one of four fields.
func requestEntry(entry object) catalog.RequestEntry {
	generic, header, match := entry.object("genericKey"), entry.object("requestHeader"), entry.object("headerValueMatch")
	set := 0
	for _, key := range []string{"genericKey", "remoteAddress", "requestHeader", "headerValueMatch"} {
		if entry.fields[key] != nil {
			set++
		}
	}
	if set != 1 {
		entry.problems.reject(ReasonInvalidName, "%s needs exactly one of genericKey, remoteAddress, requestHeader and headerValueMatch, so there is no such limit.", entry.path)
		return catalog.RequestEntry{}
	}
	var e catalog.RequestEntry
	switch {
	case generic.fields != nil:
		e = catalog.RequestEntry{Key: generic.text("key"), Value: required(generic, "value")}
	case header.fields != nil:
		e = catalog.RequestEntry{Key: required(header, "key"), Header: headerName(header)}
	case match.fields != nil:
		e = catalog.RequestEntry{Key: match.text("key"), Value: required(match, "value"), Match: limitHeaderMatches(match)}
		e.Unmatched = match.fields["expectMatch"] != nil && !match.flag("expectMatch")
	}
	return e
}

func required(spec object, key string) string {
	value := spec.text(key)
	if value == "" {
		spec.problems.reject(ReasonInvalidName, "%s is empty, so there is no such limit: write a text.", spec.child(key))
	}
	return value
}

func headerName(spec object) string {
	name := strings.ToLower(required(spec, "name"))
	if name != "" && !httpguts.ValidHeaderFieldName(name) && !slices.Contains([]string{":method", ":path", ":authority"}, name) {
		spec.problems.reject(ReasonInvalidHeader, "%s %.80q is not the name of a header, so there is no such limit.", spec.child("name"), name)
	}
	return name
}

func limitHeaderMatches(spec object) []catalog.LimitHeaderMatch {
	var all []catalog.LimitHeaderMatch
	for _, item := range bounded(spec, "headers") {
		match := catalog.LimitHeaderMatch{Name: headerName(item), Kind: "present"}
		if item.fields["present"] != nil && !item.flag("present") {
			match.Kind = "absent"
		}
		for _, kind := range []string{"exact", "prefix", "suffix", "regex", "contains"} {
			if value := item.text(kind); value != "" {
				match.Kind, match.Value = kind, value
			}
		}
		if err := checkRegex(match.Value); match.Kind == "regex" && err != nil {
			item.problems.reject(ReasonInvalidRegex, "%s: %s.", item.child("regex"), err)
		}
		all = append(all, match)
	}
	if len(all) == 0 {
		spec.problems.reject(ReasonGrantsNothing, "%s is empty, so there is no such limit: write at least one header.", spec.child("headers"))
	}
	return all
}
