package upstream

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

func TestGlobalLimits(t *testing.T) {
	type limits struct {
		TCP  *GlobalConnectionLimit
		HTTP *GlobalRequestLimit
	}
	server := GlobalLimit{Address: "limits.example.com", Port: 8081, Domain: "shop", Timeout: 20 * time.Millisecond, FailOpen: true}
	closed := server
	closed.Timeout, closed.FailOpen = 50*time.Millisecond, false
	const service = "rateLimitService: {host: Limits.example.com, port: 8081}, domain: shop"
	const generic = "descriptors: [{entries: [{genericKey: {value: a}}]}]"
	one := []RequestDescriptor{{{Value: "a"}}}
	for name, c := range map[string]struct {
		spec     string
		want     limits
		problems []string
	}{
		"connections": {
			"{rateLimit: {global: {tcp: {" + service + ", descriptors: [{entries: [{key: a, value: b}]}]}}}}",
			limits{TCP: &GlobalConnectionLimit{GlobalLimit: server, Descriptors: []ConnectionDescriptor{{{Key: "a", Value: "b"}}}}},
			nil,
		},
		"requests": {
			"{rateLimit: {global: {http: {" + service + ", timeout: 50ms, failOpen: false, enableXRateLimitHeaders: true, responseStatusCode: 503, descriptors: [{entries: [{requestHeader: {name: X-A, key: a}}, {remoteAddress: {}}, {headerValueMatch: {value: v, expectMatch: false, headers: [{name: x, regex: y.*}, {name: z, present: false}]}}]}]}}}}",
			limits{HTTP: &GlobalRequestLimit{GlobalLimit: closed, LimitHeaders: true, Status: 503, Descriptors: []RequestDescriptor{{
				{Key: "a", Header: "x-a"}, {}, {Value: "v", Unmatched: true, Match: []LimitHeaderMatch{{Name: "x", Kind: "regex", Value: "y.*"}, {Name: "z", Kind: "absent"}}},
			}}}},
			nil,
		},
		"routes": {
			"{rateLimit: {global: {http: {" + service + "}}}, httpRoutes: [{path: /b, rateLimit: {global: {" + generic + "}}}]}",
			limits{HTTP: &GlobalRequestLimit{GlobalLimit: server, Status: 429, Routes: []RouteDescriptors{{Path: "/b", Descriptors: one}}}},
			nil,
		},
		"the sidecar as the server": {
			"{rateLimit: {global: {http: {rateLimitService: {host: localhost, port: 80}, domain: shop, " + generic + "}}}}",
			limits{},
			[]string{"InvalidName: rateLimitService.host \"localhost\" is the pod of each sidecar"},
		},
		"a bad limit, a good other": {
			"{rateLimit: {global: {http: {" + service + ", timeout: soon, " + generic + "}, tcp: {" + service + ", descriptors: [{entries: [{key: a, value: b}]}]}}}}",
			limits{TCP: &GlobalConnectionLimit{GlobalLimit: server, Descriptors: []ConnectionDescriptor{{{Key: "a", Value: "b"}}}}},
			[]string{"InvalidDuration: is not a duration from"},
		},
		"no descriptors": {"{rateLimit: {global: {http: {" + service + "}}}}", limits{}, []string{"GrantsNothing: has no descriptors"}},
		"two kinds of entry": {
			"{rateLimit: {global: {http: {" + service + ", descriptors: [{entries: [{genericKey: {value: a}, remoteAddress: {}}]}]}}}}",
			limits{},
			[]string{"InvalidName: needs exactly one of"},
		},
		"a regular expression that is not one": {
			"{rateLimit: {global: {http: {" + service + ", descriptors: [{entries: [{headerValueMatch: {value: v, headers: [{name: x, regex: '('}]}}]}]}}}}",
			limits{},
			[]string{"InvalidRegex: it is not a regular expression"},
		},
		"no value": {
			"{rateLimit: {global: {http: {" + service + ", descriptors: [{entries: [{genericKey: {key: a}}]}]}}}}", limits{}, []string{"InvalidName: genericKey.value is empty"},
		},
		"no headers": {
			"{rateLimit: {global: {http: {" + service + ", descriptors: [{entries: [{headerValueMatch: {value: v}}]}]}}}}", limits{}, []string{"GrantsNothing: headerValueMatch.headers is empty"},
		},
		"no entries": {"{rateLimit: {global: {http: {" + service + ", descriptors: [{}]}}}}", limits{}, []string{"GrantsNothing: entries is empty"}},
		"not the name of a header": {
			"{rateLimit: {global: {http: {" + service + ", descriptors: [{entries: [{requestHeader: {name: 'a b', key: a}}]}]}}}}", limits{}, []string{"InvalidHeader: it is not the name of a header"},
		},
		"pseudo-header": {
			"{rateLimit: {global: {http: {" + service + ", descriptors: [{entries: [{requestHeader: {name: ':path', key: a}}]}]}}}}",
			limits{HTTP: &GlobalRequestLimit{GlobalLimit: server, Status: 429, Descriptors: []RequestDescriptor{{{Key: "a", Header: ":path"}}}}},
			nil,
		},
		"no descriptors of connections": {"{rateLimit: {global: {tcp: {" + service + "}}}}", limits{}, []string{"GrantsNothing: descriptors is empty"}},
		"a connection entry without a value": {
			"{rateLimit: {global: {tcp: {" + service + ", descriptors: [{entries: [{key: a}]}]}}}}", limits{}, []string{"InvalidName: needs a key and a value"},
		},
		"a status that sidecars do not answer with": {
			"{rateLimit: {global: {http: {" + service + ", responseStatusCode: 200, " + generic + "}}}}", limits{}, []string{"InvalidNumber: which sidecars do not answer with"},
		},
		"no domain": {
			"{rateLimit: {global: {tcp: {rateLimitService: {host: a.example.com, port: 1}, descriptors: [{entries: [{key: a, value: b}]}]}}}}",
			limits{},
			[]string{"InvalidName: domain is empty"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := ingesttest.Object(t, c.spec)
			u.Object["spec"].(map[string]any)["host"] = "web.shop"
			setting, problems := Read(u)
			ingesttest.Expect(t, setting, setting, c.problems, problems)
			if diff := cmp.Diff(c.want, limits{setting.GlobalConnections, setting.GlobalRequests}); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
		})
	}
}
