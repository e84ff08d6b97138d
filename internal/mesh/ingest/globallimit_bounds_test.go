package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

const limitService = "rateLimitService: {host: limits.example.com, port: 8081}, domain: shop"

// globalRequests reads the global limit of requests with some fields, and the other fields of the spec.
func globalRequests(t *testing.T, fields, rest string) (*catalog.GlobalRequestLimit, []Problem) {
	t.Helper()
	setting, problems := UpstreamTrafficSetting(smi(t, "host: web.shop\nrateLimit: {global: {http: {"+fields+"}}}\n"+rest))
	if setting == nil {
		t.Fatalf("there is no setting, with the problems %+v", problems)
	}
	return setting.GlobalRequests, problems
}

// TestLimitTimeouts checks the limits of the timeout of a rate limit service.
func TestLimitTimeouts(t *testing.T) {
	for text, valid := range map[string]bool{"9ms": false, "10ms": true, "1m": true, "61s": false, "-20ms": false, "soon": false} {
		limit, problems := globalRequests(t, limitService+", timeout: "+text+", descriptors: [{entries: [{remoteAddress: {}}]}]", "")
		if (limit != nil) != valid || (len(problems) == 0) != valid {
			t.Errorf("%s: the limit is %+v with the problems %+v, want usable = %t", text, limit, problems, valid)
		}
		if want, err := time.ParseDuration(text); valid && (err != nil || limit.Timeout != want) {
			t.Errorf("%s is read as %s", text, limit.Timeout)
		}
	}
}

// TestLimitDescriptors checks how entries count requests, and that a limit with an unusable part does not apply.
func TestLimitDescriptors(t *testing.T) {
	headers := func(list ...catalog.LimitHeaderMatch) catalog.RequestEntry {
		return catalog.RequestEntry{Value: "v", Match: list}
	}
	repeated := func(text string, number int) string {
		return strings.TrimSuffix(strings.Repeat(text+", ", number), ", ")
	}
	const remote = "{remoteAddress: {}}"
	for name, c := range map[string]struct {
		entries string
		want    []catalog.RequestEntry
		problem string
	}{
		"present by default":  {"{headerValueMatch: {value: v, headers: [{name: a}]}}", []catalog.RequestEntry{headers(catalog.LimitHeaderMatch{Name: "a", Kind: "present"})}, ""},
		"present":             {"{headerValueMatch: {value: v, expectMatch: true, headers: [{name: a, present: true}]}}", []catalog.RequestEntry{headers(catalog.LimitHeaderMatch{Name: "a", Kind: "present"})}, ""},
		"a text":              {"{headerValueMatch: {value: v, headers: [{name: a, exact: '('}]}}", []catalog.RequestEntry{headers(catalog.LimitHeaderMatch{Name: "a", Kind: "exact", Value: "("})}, ""},
		"a key":               {"{genericKey: {key: k, value: v}}", []catalog.RequestEntry{{Key: "k", Value: "v"}}, ""},
		"no name of a header": {"{requestHeader: {key: a}}", nil, "InvalidName: requestHeader.name is empty"},
		"as many as fit":      {repeated(remote, maxDescriptors), make([]catalog.RequestEntry, maxDescriptors), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := globalRequests(t, limitService+", descriptors: [{entries: ["+c.entries+"]}]", "")
			if c.problem != "" {
				expect(t, nil, got, []string{c.problem}, problems)
				return
			}
			if got == nil || len(problems) > 0 || len(got.Descriptors) != 1 {
				t.Fatalf("the limit is %+v with the problems %+v, want one descriptor", got, problems)
			}
			if diff := cmp.Diff(catalog.RequestDescriptor(c.want), got.Descriptors[0]); diff != "" {
				t.Errorf("the descriptor differs (-want +got):\n%s", diff)
			}
		})
	}
	got, problems := globalRequests(t, limitService+", descriptors: [{entries: ["+repeated(remote, maxDescriptors+1)+"]}]", "")
	expect(t, nil, got, []string{"InvalidNumber: descriptors[0].entries has 17 elements", "GrantsNothing: entries is empty"}, problems)
	got, problems = globalRequests(t, limitService+", descriptors: ["+repeated("{entries: ["+remote+"]}", maxDescriptors+1)+"]", "")
	expect(t, nil, got, []string{"InvalidNumber: descriptors has 17 elements"}, problems)
	got, problems = globalRequests(t, "rateLimitService: {host: limits.example.com, port: 8081}", "")
	expect(t, nil, got, []string{"InvalidName: domain is empty"}, problems)
}

// TestLimitOfConnectionsNeedsKeys checks that an entry without a key does not count all connections.
func TestLimitOfConnectionsNeedsKeys(t *testing.T) {
	setting, problems := UpstreamTrafficSetting(smi(t, "host: web.shop\nrateLimit: {global: {tcp: {"+limitService+", descriptors: [{entries: [{value: b}]}]}}}"))
	expect(t, nil, setting.GlobalConnections, []string{"InvalidName: needs a key and a value"}, problems)
}

// TestDescriptorsOfRoutes checks which routes a limit has: sorted, with a path and with descriptors.
func TestDescriptorsOfRoutes(t *testing.T) {
	const global = "rateLimit: {global: {descriptors: [{entries: [{remoteAddress: {}}]}]}}"
	const local = "rateLimit: {local: {requests: 3, unit: hour}}"
	got, problems := globalRequests(t, limitService, "httpRoutes: [{path: /c, "+local+"}, {path: /b, "+global+"}, {path: /a, "+global+"}, {path: /d}, {path: /e, rateLimit: {global: {}}}, {"+global+"}]")
	if len(problems) != 2 || problems[0].Reason != ReasonNotUsed || problems[1].Reason != ReasonInvalidName || got == nil {
		t.Fatalf("the limit is %+v with the problems %+v, want one about the route without a limit and that without a path", got, problems)
	}
	one := []catalog.RequestDescriptor{{{}}}
	if diff := cmp.Diff([]catalog.RouteDescriptors{{Path: "/a", Descriptors: one}, {Path: "/b", Descriptors: one}}, got.Routes); diff != "" {
		t.Errorf("the routes differ (-want +got):\n%s", diff)
	}
}
