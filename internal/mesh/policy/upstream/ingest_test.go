package upstream

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"golang.org/x/net/http/httpguts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

// TestUpstreamTrafficSetting reads each field, and what is left of objects with a field that cannot be used.
func TestUpstreamTrafficSetting(t *testing.T) {
	setting := func(change func(*Policy)) *Policy {
		s := &Policy{
			Kind: Kind, Name: ingesttest.Name, Created: ingesttest.Created, Service: entity.Name{Namespace: "shop", Name: "web"},
		}
		if change != nil {
			change(s)
		}
		return s
	}
	const host = "host: web.shop.svc.cluster.local\n"
	plain, outside := setting(nil), setting(func(s *Policy) { s.Service = entity.Name{} })
	for name, c := range map[string]struct {
		spec     string
		want     *Policy
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
			setting(func(s *Policy) {
				s.Connections = ConnectionSettings{
					MaxConnections: ptr.To[uint32](0), MaxRequests: ptr.To[uint32](2), MaxRequestsPerConnection: ptr.To[uint32](3), MaxPendingRequests: ptr.To[uint32](4),
					MaxRetries: ptr.To[uint32](4294967295), ConnectTimeout: time.Second, TCPIdleTimeout: time.Hour, RequestTimeout: 15 * time.Second,
				}
			}),
			[]string{"?InvalidNumber: spec.connectionSettings.tcp.maxConnections is 0, so TCP connections are closed"},
		},
		"no requests": {
			host + "connectionSettings: {http: {maxRequests: 0, maxPendingRequests: 0}}",
			setting(func(s *Policy) {
				s.Connections = ConnectionSettings{MaxRequests: ptr.To[uint32](0), MaxPendingRequests: ptr.To[uint32](0)}
			}),
			[]string{"?InvalidNumber: maxPendingRequests is 0, so requests that need a new connection get status 503", "?InvalidNumber: maxRequests is 0, so all requests get status 503"},
		},
		"bad limits leave the others": {
			host + "connectionSettings: {tcp: {maxConnections: -1, connectTimeout: later}, http: {maxRequests: 2}}",
			setting(func(s *Policy) { s.Connections.MaxRequests = ptr.To[uint32](2) }),
			[]string{"InvalidNumber: spec.connectionSettings.tcp.maxConnections is -1", "InvalidDuration: spec.connectionSettings.tcp.connectTimeout"},
		},
		"endpoints that fail": {
			host + "outlierDetection: {consecutiveErrors: 7, interval: 5s, baseEjectionTime: 1m, maxEjectionPercent: 50}\nhealthCheck: {interval: 2s, timeout: 500ms, unhealthyThreshold: 2, healthyThreshold: 4}",
			setting(func(s *Policy) {
				s.OutlierDetection = &OutlierDetection{ConsecutiveErrors: 7, Interval: 5 * time.Second, BaseEjectionTime: time.Minute, MaxEjectionPercent: ptr.To[uint32](50)}
				s.HealthCheck = &HealthCheck{Interval: 2 * time.Second, Timeout: 500 * time.Millisecond, UnhealthyThreshold: 2, HealthyThreshold: 4}
			}), nil,
		},
		"endpoints that fail, with defaults": {
			host + "outlierDetection: {maxEjectionPercent: 101}\nhealthCheck: {}",
			setting(func(s *Policy) {
				s.OutlierDetection, s.HealthCheck = &OutlierDetection{}, &HealthCheck{}
			}),
			[]string{"InvalidNumber: spec.outlierDetection.maxEjectionPercent is 101, which is out of range and has no effect: write a whole number from 0 to 100"},
		},
		"malformed":    {host + "connectionSettings: {tcp: {maxConnections: many}}\nrateLimit: []", nil, []string{"Malformed: spec.connectionSettings.tcp.maxConnections", "Malformed: spec.rateLimit is a list"}},
		"unknown kept": {host + "rateLimit: {regional: {}}", plain, []string{"?Unsupported: spec.rateLimit.regional is kept and has no effect"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, c.spec))
			ingesttest.Expect(t, c.want, got, c.problems, problems)
		})
	}
}

func TestRateLimits(t *testing.T) {
	limit := func(tokens, burst uint32, interval time.Duration) RateLimit {
		return RateLimit{Tokens: tokens, Burst: burst, Interval: interval}
	}
	request := RequestRateLimit{RateLimit: limit(3, 0, time.Hour), Status: 429}
	type limits struct {
		TCP    *RateLimit
		HTTP   *RequestRateLimit
		Routes []RouteRateLimit
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
			limits{HTTP: &RequestRateLimit{RateLimit: limit(5, 0, time.Second), Status: 503, Headers: []Header{{Name: "retry-after", Value: "10"}, {Name: "x-load", Value: "100%%"}}}},
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
			limits{Routes: []RouteRateLimit{{Path: ".*", Limit: request}, {Path: "/b", Limit: request}}},
			nil,
		},
		"routes that cannot be used": {
			"httpRoutes: [{rateLimit: {local: {requests: 3, unit: hour}}}, {path: /a}, {path: /b, rateLimit: {local: {requests: 3, unit: day}}}, {path: /b, rateLimit: {local: {requests: 3, unit: hour}}}, {path: /c, rateLimit: {regional: {}, local: {requests: 3, unit: hour}}}]",
			limits{Routes: []RouteRateLimit{{Path: "/c", Limit: request}}},
			[]string{
				"InvalidName: spec.httpRoutes[0] has no path", "?NotUsed: spec.httpRoutes[1] has no rateLimit.local", `Unsupported: spec.httpRoutes[2].rateLimit.local.unit is "day"`,
				`DuplicateMatch: spec.httpRoutes[3] has the path "/b"`, "?Unsupported: spec.httpRoutes[4].rateLimit.regional is kept",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Read(ingesttest.Object(t, "host: web.shop\n"+c.spec))
			ingesttest.Expect(t, c.want, limits{got.ConnectionRate, got.RequestRate, got.Routes}, c.problems, problems)
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
		u := ingesttest.Object(t, spec)
		u.SetLabels(map[string]string{"app": app})
		return u
	}
	want := &Policy{
		Kind: Backpressure, Name: ingesttest.Name, Created: ingesttest.Created, Service: entity.Name{Namespace: "shop", Name: "web"},
		Connections: ConnectionSettings{
			MaxConnections: ptr.To[uint32](1), MaxRequests: ptr.To[uint32](2), MaxPendingRequests: ptr.To[uint32](3), MaxRetries: ptr.To[uint32](4), MaxRequestsPerConnection: ptr.To[uint32](5),
		},
	}
	got, problems := ReadBackpressure(labelled("web", "{maxConnections: 1, maxRequests: 2, maxPendingRequests: 3, maxRetries: 4, maxRequestsPerConnection: 5}"))
	ingesttest.Expect(t, want, got, nil, problems)
	want.Connections = ConnectionSettings{}
	got, problems = ReadBackpressure(labelled("web", "{maxConnections: -1}"))
	ingesttest.Expect(t, want, got, []string{"InvalidNumber: spec.maxConnections is -1"}, problems)
	got, problems = ReadBackpressure(ingesttest.Object(t, "{maxConnections: 1}"))
	ingesttest.Expect(t, (*Policy)(nil), got, []string{"InvalidName: The label app of this Backpressure is"}, problems)
	got, problems = ReadBackpressure(labelled("web", "{maxConnections: x}"))
	ingesttest.Expect(t, (*Policy)(nil), got, []string{"Malformed: spec.maxConnections"}, problems)
}

// TestLargestValues checks that the largest value that a message names is usable.
func TestLargestValues(t *testing.T) {
	setting, problems := Read(ingesttest.Object(t, "host: web.shop\nconnectionSettings: {tcp: {idleTimeout: 8760h}}\nrateLimit: {local: {tcp: {connections: 4294967294, burst: 1, unit: hour}}}"))
	ingesttest.Expect(t, RateLimit{Tokens: 4294967294, Burst: 1, Interval: time.Hour}, *setting.ConnectionRate, nil, problems)
	ingesttest.Expect(t, 8760*time.Hour, setting.Connections.TCPIdleTimeout, nil, nil)

	headers := strings.Repeat("{name: a, value: b}, ", maxLimitHeaders)
	setting, problems = Read(ingesttest.Object(t, "host: web.shop\nrateLimit: {local: {http: {requests: 1, unit: hour, responseHeadersToAdd: ["+headers+"]}}}"))
	ingesttest.Expect(t, maxLimitHeaders, len(setting.RequestRate.Headers), nil, problems)
}

// TestLocalAndGlobalLimitOfARoute checks that a route may have both limits.
func TestLocalAndGlobalLimitOfARoute(t *testing.T) {
	setting, problems := Read(ingesttest.Object(t, "host: web.shop\nhttpRoutes: [{path: /a, rateLimit: {local: {requests: 3, unit: hour}, global: {descriptors: [{entries: [{remoteAddress: {}}]}]}}}]"))
	ingesttest.Expect(t, []RouteRateLimit{{Path: "/a", Limit: RequestRateLimit{RateLimit: RateLimit{Tokens: 3, Interval: time.Hour}, Status: 429}}}, setting.Routes, nil, problems)
}

// FuzzRead checks that limits are usable, and that responses are valid.
func FuzzRead(f *testing.F) {
	ingesttest.Fuzz(f, Read, checkSetting,
		`{"metadata":{"namespace":"a","labels":{"app":"x"}},"spec":{"host":"x.a.svc.cluster.local","connectionSettings":{"tcp":{"maxConnections":4294967296,"connectTimeout":"-1s"},"http":{"maxRequests":1e300}},"maxConnections":-1}}`,
		`{"metadata":{"namespace":"a"},"spec":{"host":"x.a","rateLimit":{"global":{},"local":{"tcp":{"connections":4294967295,"unit":"hour","burst":1},"http":{"requests":1,"unit":"second","responseStatusCode":418,"responseHeadersToAdd":[{"name":":path","value":"%"},{"name":"A","value":"b"}]}}}}}`,
		`{"metadata":{"namespace":"a"},"spec":{"host":"x.a","httpRoutes":[{"path":"/","rateLimit":{"local":{"requests":1,"unit":"day"}}},{"path":"/"}],"outlierDetection":{"interval":"9999999h"},"healthCheck":{}}}`,
	)
}

// FuzzReadBackpressure checks that limits have a Service.
func FuzzReadBackpressure(f *testing.F) {
	ingesttest.Fuzz(f, ReadBackpressure, func(t *testing.T, policy *Policy) {
		if policy.Service.Name == "" {
			t.Errorf("limits without a Service: %+v", policy)
		}
	}, `{"metadata":{"namespace":"a","labels":{"app":"x"}},"spec":{"maxConnections":-1,"maxRequests":1e300}}`)
}

func checkSetting(t *testing.T, setting *Policy) {
	t.Helper()
	if setting.Service != (entity.Name{}) && (setting.Service.Namespace != setting.Name.Namespace || setting.Service.Name == "") {
		t.Errorf("a setting for a Service of another namespace: %+v", setting)
	}
	limits := []RateLimit{}
	if setting.ConnectionRate != nil {
		limits = append(limits, *setting.ConnectionRate)
	}
	requests := []RequestRateLimit{}
	if setting.RequestRate != nil {
		requests = append(requests, *setting.RequestRate)
	}
	for _, route := range setting.Routes {
		requests = append(requests, route.Limit)
	}
	for _, limit := range requests {
		limits = append(limits, limit.RateLimit)
		if !isResponseStatus(int64(limit.Status)) || len(limit.Headers) > maxLimitHeaders {
			t.Errorf("invalid response: %+v", limit)
		}
		for _, header := range limit.Headers {
			if !httpguts.ValidHeaderFieldName(header.Name) || !httpguts.ValidHeaderFieldValue(header.Value) {
				t.Errorf("invalid header: %+v", header)
			}
		}
	}
	for _, limit := range limits {
		if limit.Tokens == 0 || limit.Interval <= 0 || uint64(limit.Tokens)+uint64(limit.Burst) > math.MaxUint32 {
			t.Errorf("invalid limit: %+v", limit)
		}
	}
}
