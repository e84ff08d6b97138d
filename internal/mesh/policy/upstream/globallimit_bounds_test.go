package upstream

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

const limitService = "rateLimitService: {host: limits.example.com, port: 8081}, domain: shop"

// globalRequests reads the global limit of requests with some fields, and the other fields of the spec.
func globalRequests(t *testing.T, fields, rest string) (*GlobalRequestLimit, []ingest.Problem) {
	t.Helper()
	setting, problems := Read(ingesttest.Object(t, "host: web.shop\nrateLimit: {global: {http: {"+fields+"}}}\n"+rest))
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
	headers := func(list ...LimitHeaderMatch) RequestEntry {
		return RequestEntry{Value: "v", Match: list}
	}
	repeated := func(text string, number int) string {
		return strings.TrimSuffix(strings.Repeat(text+", ", number), ", ")
	}
	const remote = "{remoteAddress: {}}"
	for name, c := range map[string]struct {
		entries string
		want    []RequestEntry
		problem string
	}{
		"present by default":  {"{headerValueMatch: {value: v, headers: [{name: a}]}}", []RequestEntry{headers(LimitHeaderMatch{Name: "a", Kind: "present"})}, ""},
		"present":             {"{headerValueMatch: {value: v, expectMatch: true, headers: [{name: a, present: true}]}}", []RequestEntry{headers(LimitHeaderMatch{Name: "a", Kind: "present"})}, ""},
		"a text":              {"{headerValueMatch: {value: v, headers: [{name: a, exact: '('}]}}", []RequestEntry{headers(LimitHeaderMatch{Name: "a", Kind: "exact", Value: "("})}, ""},
		"a key":               {"{genericKey: {key: k, value: v}}", []RequestEntry{{Key: "k", Value: "v"}}, ""},
		"no name of a header": {"{requestHeader: {key: a}}", nil, "InvalidName: requestHeader.name is empty"},
		"as many as fit":      {repeated(remote, maxDescriptors), make([]RequestEntry, maxDescriptors), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := globalRequests(t, limitService+", descriptors: [{entries: ["+c.entries+"]}]", "")
			if c.problem != "" {
				ingesttest.Expect(t, (*GlobalRequestLimit)(nil), got, []string{c.problem}, problems)
				return
			}
			if got == nil || len(problems) > 0 || len(got.Descriptors) != 1 {
				t.Fatalf("the limit is %+v with the problems %+v, want one descriptor", got, problems)
			}
			if diff := cmp.Diff(RequestDescriptor(c.want), got.Descriptors[0]); diff != "" {
				t.Errorf("the descriptor differs (-want +got):\n%s", diff)
			}
		})
	}
	got, problems := globalRequests(t, limitService+", descriptors: [{entries: ["+repeated(remote, maxDescriptors+1)+"]}]", "")
	ingesttest.Expect(t, (*GlobalRequestLimit)(nil), got, []string{"InvalidNumber: descriptors[0].entries has 17 elements", "GrantsNothing: entries is empty"}, problems)
	got, problems = globalRequests(t, limitService+", descriptors: ["+repeated("{entries: ["+remote+"]}", maxDescriptors+1)+"]", "")
	ingesttest.Expect(t, (*GlobalRequestLimit)(nil), got, []string{"InvalidNumber: descriptors has 17 elements"}, problems)
	got, problems = globalRequests(t, "rateLimitService: {host: limits.example.com, port: 8081}", "")
	ingesttest.Expect(t, (*GlobalRequestLimit)(nil), got, []string{"InvalidName: domain is empty"}, problems)
}

// TestLimitOfConnectionsNeedsKeys checks that an entry without a key does not count all connections.
func TestLimitOfConnectionsNeedsKeys(t *testing.T) {
	setting, problems := Read(ingesttest.Object(t, "host: web.shop\nrateLimit: {global: {tcp: {"+limitService+", descriptors: [{entries: [{value: b}]}]}}}"))
	ingesttest.Expect(t, nil, setting.GlobalConnections, []string{"InvalidName: needs a key and a value"}, problems)
}

// TestDescriptorsOfRoutes checks which routes a limit has: sorted, with a path and with descriptors.
func TestDescriptorsOfRoutes(t *testing.T) {
	const global = "rateLimit: {global: {descriptors: [{entries: [{remoteAddress: {}}]}]}}"
	const local = "rateLimit: {local: {requests: 3, unit: hour}}"
	got, problems := globalRequests(t, limitService, "httpRoutes: [{path: /c, "+local+"}, {path: /b, "+global+"}, {path: /a, "+global+"}, {path: /d}, {path: /e, rateLimit: {global: {}}}, {"+global+"}]")
	if len(problems) != 2 || problems[0].Reason != ingest.ReasonNotUsed || problems[1].Reason != ingest.ReasonInvalidName || got == nil {
		t.Fatalf("the limit is %+v with the problems %+v, want one about the route without a limit and that without a path", got, problems)
	}
	one := []RequestDescriptor{{{}}}
	if diff := cmp.Diff([]RouteDescriptors{{Path: "/a", Descriptors: one}, {Path: "/b", Descriptors: one}}, got.Routes); diff != "" {
		t.Errorf("the routes differ (-want +got):\n%s", diff)
	}
}
