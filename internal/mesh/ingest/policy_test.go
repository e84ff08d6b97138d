package ingest

import (
	"slices"
	"strings"
	"testing"
	"time"

	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

var created = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestRetry(t *testing.T) {
	retry := func(change func(*catalog.Retry)) *catalog.Retry {
		r := &catalog.Retry{
			Name: x, Created: created, Source: identity.ServiceAccount{Namespace: "shop", Name: "buyer"},
			Destinations: []catalog.Name{{Namespace: "shop", Name: "books"}, {Namespace: "shop", Name: "store"}},
			Policy:       catalog.RetryPolicy{On: "5xx,reset", Count: 3, PerTryTimeout: time.Second, BackoffBase: 25 * time.Millisecond},
		}
		if change != nil {
			change(r)
		}
		return r
	}
	const (
		source       = "source: {kind: ServiceAccount, name: buyer, namespace: shop}\n"
		destinations = "destinations: [{kind: Service, name: store, namespace: shop}, {kind: Service, name: books, namespace: shop}, {kind: Service, name: books, namespace: shop}]\n"
		policy       = "retryPolicy: {retryOn: '5xx,reset', perTryTimeout: 1s, numRetries: 3, retryBackoffBaseInterval: 25ms}"
	)
	on := func(words string) string {
		return source + destinations + strings.Replace(policy, "5xx,reset", words, 1)
	}
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.Retry
		problems []string
	}{
		"all fields":             {source + destinations + policy, retry(nil), nil},
		"conditions with spaces": {on(" 5xx ,reset,, 5xx"), retry(nil), nil},
		"gRPC conditions":        {on("unavailable,cancelled"), retry(func(r *catalog.Retry) { r.Policy.On = "unavailable,cancelled" }), nil},
		"only a condition": {
			source + destinations + "retryPolicy: {retryOn: reset}",
			retry(func(r *catalog.Retry) { r.Policy = catalog.RetryPolicy{On: "reset", Count: 1} }), nil,
		},
		"unknown condition":           {on("5xx,timeout"), nil, []string{`InvalidCondition: spec.retryPolicy.retryOn has "timeout", which is not a condition that sidecars support, so this Retry does nothing: use 5xx, gateway-error`}},
		"no condition":                {on(" , "), nil, []string{"InvalidCondition: retryOn is empty"}},
		"condition that needs a list": {on("5xx,reset,retriable-status-codes"), retry(func(r *catalog.Retry) { r.Policy.On += ",retriable-status-codes" }), []string{"?InvalidCondition: retriable-status-codes, which acts only on requests"}},
		"bad numbers": {
			source + destinations + "retryPolicy: {retryOn: '5xx,reset', perTryTimeout: -1s, numRetries: 4294967296, retryBackoffBaseInterval: soon}",
			retry(func(r *catalog.Retry) { r.Policy = catalog.RetryPolicy{On: "5xx,reset", Count: 1} }),
			[]string{"InvalidDuration: perTryTimeout -1s is below zero", `InvalidDuration: retryBackoffBaseInterval "soon" is not a duration`, "InvalidNumber: spec.retryPolicy.numRetries is 4294967296"},
		},
		"a duration above the maximum": {
			source + destinations + "retryPolicy: {retryOn: '5xx,reset', numRetries: 3, perTryTimeout: 99999h, retryBackoffBaseInterval: 25ms}",
			retry(func(r *catalog.Retry) { r.Policy.PerTryTimeout = 0 }),
			[]string{"InvalidDuration: is too long and has no effect: write at most 8760h"},
		},
		"some destinations that are none": {
			source + "destinations: [{kind: ServiceAccount, name: a, namespace: b}, {kind: Service, name: '*', namespace: shop}, {kind: Service, name: books}, {kind: Service, name: books, namespace: shop}]\n" + policy,
			retry(func(r *catalog.Retry) { r.Destinations = r.Destinations[:1] }),
			[]string{`Unsupported: spec.destinations[0] has the kind "ServiceAccount"`, `InvalidName: spec.destinations[1].name "*"`, `InvalidName: spec.destinations[2].namespace ""`},
		},
		"no destination":        {source + policy, nil, []string{"GrantsNothing: spec.destinations is empty"}},
		"source of other kind":  {strings.Replace(source, "ServiceAccount", "Service", 1) + destinations + policy, nil, []string{"Unsupported: spec.source has the kind"}},
		"source of no one":      {"source: {kind: ServiceAccount, name: buyer}\n" + destinations + policy, nil, []string{"InvalidName: spec.source has no namespace"}},
		"malformed":             {source + destinations + "retryPolicy: {retryOn: [5xx], numRetries: many}", nil, []string{"Malformed: spec.retryPolicy.retryOn is a list", "Malformed: spec.retryPolicy.numRetries"}},
		"nothing":               {"{}", nil, []string{"Unsupported: spec.source", "InvalidCondition: retryOn is empty", "GrantsNothing: spec.destinations"}},
		"numRetries of nothing": {strings.Replace(on("5xx,reset"), "numRetries: 3", "numRetries: 0", 1), retry(func(r *catalog.Retry) { r.Policy.Count = 0 }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Retry(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestUpstreamTrafficSetting(t *testing.T) {
	setting := func(change func(*catalog.UpstreamTrafficSetting)) *catalog.UpstreamTrafficSetting {
		s := &catalog.UpstreamTrafficSetting{
			Kind: catalog.KindUpstreamTrafficSetting, Name: x, Created: created, Service: catalog.Name{Namespace: "shop", Name: "web"},
		}
		if change != nil {
			change(s)
		}
		return s
	}
	const host = "host: web.shop.svc.cluster.local\n"
	plain, outside := setting(nil), setting(func(s *catalog.UpstreamTrafficSetting) { s.Service = catalog.Name{} })
	for name, c := range map[string]struct {
		spec     string
		want     *catalog.UpstreamTrafficSetting
		problems []string
	}{
		"DNS name":            {host, plain, nil},
		"DNS name with dot":   {"host: web.shop.svc.cluster.local.", plain, nil},
		"host with svc":       {"host: web.shop.svc", plain, nil},
		"host with namespace": {"host: web.shop", plain, nil},
		"short host":          {"host: web", outside, []string{`?NotUsed: spec.host "web" is not the DNS name of a Service`}},
		"host elsewhere":      {"host: web.bank.svc.cluster.local", outside, []string{"?NotUsed: create it in the namespace bank"}},
		"host outside":        {"host: httpbin.org", outside, []string{"?NotUsed: applies only where an Egress names it"}},
		"no host":             {"{}", nil, []string{"InvalidName: spec.host is empty"}},
		"connections": {
			host + "connectionSettings: {tcp: {maxConnections: 0, connectTimeout: 1s, idleTimeout: 1h}, http: {maxRequests: 2, maxRequestsPerConnection: 3, maxPendingRequests: 4, maxRetries: 4294967295, requestTimeout: 15s, idleTimeout: 0s}}",
			setting(func(s *catalog.UpstreamTrafficSetting) {
				s.Connections = catalog.ConnectionSettings{
					MaxConnections: ptr.To[uint32](0), MaxRequests: ptr.To[uint32](2), MaxRequestsPerConnection: ptr.To[uint32](3), MaxPendingRequests: ptr.To[uint32](4),
					MaxRetries: ptr.To[uint32](4294967295), ConnectTimeout: time.Second, TCPIdleTimeout: time.Hour, RequestTimeout: 15 * time.Second,
				}
			}),
			[]string{"?InvalidNumber: spec.connectionSettings.tcp.maxConnections is 0, so TCP connections are closed"},
		},
		"no requests": {
			host + "connectionSettings: {http: {maxRequests: 0, maxPendingRequests: 0}}",
			setting(func(s *catalog.UpstreamTrafficSetting) {
				s.Connections = catalog.ConnectionSettings{MaxRequests: ptr.To[uint32](0), MaxPendingRequests: ptr.To[uint32](0)}
			}),
			[]string{"?InvalidNumber: maxPendingRequests is 0, so requests that need a new connection get status 503", "?InvalidNumber: maxRequests is 0, so all requests get status 503"},
		},
		"bad limits leave the others": {
			host + "connectionSettings: {tcp: {maxConnections: -1, connectTimeout: later}, http: {maxRequests: 2}}",
			setting(func(s *catalog.UpstreamTrafficSetting) { s.Connections.MaxRequests = ptr.To[uint32](2) }),
			[]string{"InvalidNumber: spec.connectionSettings.tcp.maxConnections is -1", "InvalidDuration: spec.connectionSettings.tcp.connectTimeout"},
		},
		"endpoints that fail": {
			host + "outlierDetection: {consecutiveErrors: 7, interval: 5s, baseEjectionTime: 1m, maxEjectionPercent: 50}\nhealthCheck: {interval: 2s, timeout: 500ms, unhealthyThreshold: 2, healthyThreshold: 4}",
			setting(func(s *catalog.UpstreamTrafficSetting) {
				s.OutlierDetection = &catalog.OutlierDetection{ConsecutiveErrors: 7, Interval: 5 * time.Second, BaseEjectionTime: time.Minute, MaxEjectionPercent: ptr.To[uint32](50)}
				s.HealthCheck = &catalog.HealthCheck{Interval: 2 * time.Second, Timeout: 500 * time.Millisecond, UnhealthyThreshold: 2, HealthyThreshold: 4}
			}), nil,
		},
		"endpoints that fail, with defaults": {
			host + "outlierDetection: {maxEjectionPercent: 101}\nhealthCheck: {}",
			setting(func(s *catalog.UpstreamTrafficSetting) {
				s.OutlierDetection, s.HealthCheck = &catalog.OutlierDetection{}, &catalog.HealthCheck{}
			}),
			[]string{"InvalidNumber: spec.outlierDetection.maxEjectionPercent is 101, which is out of range and has no effect: write a whole number from 0 to 100"},
		},
		"malformed":    {host + "connectionSettings: {tcp: {maxConnections: many}}\nrateLimit: []", nil, []string{"Malformed: spec.connectionSettings.tcp.maxConnections", "Malformed: spec.rateLimit is a list"}},
		"unknown kept": {host + "rateLimit: {regional: {}}", plain, []string{"?Unsupported: spec.rateLimit.regional is kept and has no effect"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := UpstreamTrafficSetting(smi(t, c.spec))
			expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestRateLimits(t *testing.T) {
	limit := func(tokens, burst uint32, interval time.Duration) catalog.RateLimit {
		return catalog.RateLimit{Tokens: tokens, Burst: burst, Interval: interval}
	}
	request := catalog.RequestRateLimit{RateLimit: limit(3, 0, time.Hour), Status: 429}
	type limits struct {
		TCP    *catalog.RateLimit
		HTTP   *catalog.RequestRateLimit
		Routes []catalog.RouteRateLimit
	}
	http := func(fields string) string { return "rateLimit: {local: {http: {" + fields + "}}}" }
	headers := func(list string) string { return http("requests: 3, unit: hour, responseHeadersToAdd: [" + list + "]") }
	for name, c := range map[string]struct {
		spec     string
		want     limits
		problems []string
	}{
		"connections": {"rateLimit: {local: {tcp: {connections: 100, unit: minute, burst: 10}}}", limits{TCP: ptr.To(limit(100, 10, time.Minute))}, nil},
		"requests": {
			http("requests: 5, unit: second, responseStatusCode: 503, responseHeadersToAdd: [{name: Retry-After, value: '10'}, {name: x-load, value: 100%%}]"),
			limits{HTTP: &catalog.RequestRateLimit{RateLimit: limit(5, 0, time.Second), Status: 503, Headers: []catalog.Header{{Name: "retry-after", Value: "10"}, {Name: "x-load", Value: "100%%"}}}},
			nil,
		},
		"default status":            {http("requests: 3, unit: hour"), limits{HTTP: &request}, nil},
		"unsupported status":        {http("requests: 3, unit: hour, responseStatusCode: 418"), limits{HTTP: &request}, []string{"InvalidNumber: responseStatusCode is 418, which sidecars do not answer with"}},
		"status of success":         {http("requests: 3, unit: hour, responseStatusCode: 200"), limits{HTTP: &request}, []string{"InvalidNumber: responseStatusCode is 200"}},
		"unknown unit":              {http("requests: 3, unit: day"), limits{}, []string{`Unsupported: unit is "day"`}},
		"no rate":                   {http("unit: day"), limits{}, []string{"InvalidNumber: spec.rateLimit.local.http.requests is missing"}},
		"rate of zero":              {http("requests: 0, unit: second"), limits{}, []string{"InvalidNumber: requests is 0"}},
		"rate and burst too large":  {http("requests: 4294967295, burst: 1, unit: second"), limits{}, []string{"InvalidNumber: add up to more than 4294967295"}},
		"bad burst":                 {http("requests: 3, burst: -1, unit: hour"), limits{HTTP: &request}, []string{"InvalidNumber: burst is -1"}},
		"pseudo-header":             {headers("{name: ':status', value: '200'}"), limits{HTTP: &request}, []string{"InvalidHeader: it is a pseudo-header"}},
		"header of the connection":  {headers("{name: Transfer-Encoding, value: chunked}"), limits{HTTP: &request}, []string{"InvalidHeader: it belongs to the connection"}},
		"header with a space":       {headers("{name: 'a b', value: c}"), limits{HTTP: &request}, []string{"InvalidHeader: it is not the name of a header"}},
		"header with a line break":  {headers(`{name: a, value: "b\r\nc: d"}`), limits{HTTP: &request}, []string{"InvalidHeader: has characters that headers cannot have"}},
		"header with a command":     {headers("{name: a, value: '%ENVIRONMENT(HOME)%'}"), limits{HTTP: &request}, []string{"InvalidHeader: a single % sign, which sidecars would read as a command: write %%."}},
		"more headers than fit":     {headers(strings.Repeat("{name: ':a', value: b},", 10) + "{name: a, value: b}"), limits{HTTP: &request}, append([]string{"InvalidHeader: has 11 headers"}, slices.Repeat([]string{"InvalidHeader: it is a pseudo-header"}, 10)...)},
		"a bad limit, a good other": {"rateLimit: {local: {tcp: {connections: 0, unit: hour}, http: {requests: 3, unit: hour}}}", limits{HTTP: &request}, []string{"InvalidNumber: connections is 0"}},
		"routes": {
			"httpRoutes: [{path: /b, rateLimit: {local: {requests: 3, unit: hour}}}, {path: '.*', rateLimit: {local: {requests: 3, unit: hour}}}]",
			limits{Routes: []catalog.RouteRateLimit{{Path: ".*", Limit: request}, {Path: "/b", Limit: request}}},
			nil,
		},
		"routes that cannot be used": {
			"httpRoutes: [{rateLimit: {local: {requests: 3, unit: hour}}}, {path: /a}, {path: /b, rateLimit: {local: {requests: 3, unit: day}}}, {path: /b, rateLimit: {local: {requests: 3, unit: hour}}}, {path: /c, rateLimit: {regional: {}, local: {requests: 3, unit: hour}}}]",
			limits{Routes: []catalog.RouteRateLimit{{Path: "/c", Limit: request}}},
			[]string{
				"InvalidName: spec.httpRoutes[0] has no path", "?NotUsed: spec.httpRoutes[1] has no rateLimit.local", `Unsupported: spec.httpRoutes[2].rateLimit.local.unit is "day"`,
				`DuplicateMatch: spec.httpRoutes[3] has the path "/b"`, "?Unsupported: spec.httpRoutes[4].rateLimit.regional is kept",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := UpstreamTrafficSetting(smi(t, "host: web.shop\n"+c.spec))
			expect(t, c.want, limits{got.ConnectionRate, got.RequestRate, got.Routes}, c.problems, problems)
		})
	}
}

// TestResponseStatusesAreKnownToEnvoy checks the accepted status codes. Envoy would reject the whole configuration for
// one that it has no name for.
func TestResponseStatusesAreKnownToEnvoy(t *testing.T) {
	for status := int64(0); status < 1000; status++ {
		_, named := typev3.StatusCode_name[int32(status)]
		if want := named && status >= 400; isResponseStatus(status) != want {
			t.Errorf("answerable(%d) = %t, want %t", status, !want, want)
		}
	}
}

func TestBackpressure(t *testing.T) {
	labelled := func(app, spec string) *unstructured.Unstructured {
		u := smi(t, spec)
		u.SetLabels(map[string]string{"app": app})
		return u
	}
	want := &catalog.UpstreamTrafficSetting{
		Kind: catalog.KindBackpressure, Name: x, Created: created, Service: catalog.Name{Namespace: "shop", Name: "web"},
		Connections: catalog.ConnectionSettings{
			MaxConnections: ptr.To[uint32](1), MaxRequests: ptr.To[uint32](2), MaxPendingRequests: ptr.To[uint32](3), MaxRetries: ptr.To[uint32](4), MaxRequestsPerConnection: ptr.To[uint32](5),
		},
	}
	got, problems := Backpressure(labelled("web", "{maxConnections: 1, maxRequests: 2, maxPendingRequests: 3, maxRetries: 4, maxRequestsPerConnection: 5}"))
	expect(t, want, got, nil, problems)
	want.Connections = catalog.ConnectionSettings{}
	got, problems = Backpressure(labelled("web", "{maxConnections: -1}"))
	expect(t, want, got, []string{"InvalidNumber: spec.maxConnections is -1"}, problems)
	got, problems = Backpressure(smi(t, "{maxConnections: 1}"))
	expect(t, nil, got, []string{"InvalidName: The label app of this Backpressure is"}, problems)
	got, problems = Backpressure(labelled("web", "{maxConnections: x}"))
	expect(t, nil, got, []string{"Malformed: spec.maxConnections"}, problems)
}
