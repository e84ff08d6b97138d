package catalog

import (
	"cmp"
	"time"
)

// UpstreamTrafficSetting configures the traffic to a Service for all its clients (policy.openservicemesh.io).
type UpstreamTrafficSetting struct {
	// Kind is KindUpstreamTrafficSetting, or KindBackpressure for its predecessor in early OSM releases.
	Kind    Kind
	Name    Name
	Created time.Time
	// Service is the one that spec.host names. It is in the setting's namespace. It is empty if the host is not a Service: only an Egress
	// that names the setting uses it then.
	Service     Name
	Connections ConnectionSettings
	// ConnectionRate bounds new connections to each pod of the Service; nil means no limit.
	ConnectionRate *RateLimit
	// RequestRate bounds requests to each pod of the Service; nil means no limit.
	RequestRate *RequestRateLimit
	// Routes bound the requests of single routes instead of RequestRate, sorted by path.
	Routes []RouteRateLimit
	// GlobalConnections and GlobalRequests bound the rates of all pods together; nil means no limit.
	GlobalConnections *GlobalConnectionLimit
	GlobalRequests    *GlobalRequestLimit
	OutlierDetection  *OutlierDetection
	HealthCheck       *HealthCheck
}

// Ref implements Entry.
func (u *UpstreamTrafficSetting) Ref() Ref { return Ref{u.Kind, u.Name} }

// Age implements Aged.
func (u *UpstreamTrafficSetting) Age() time.Time { return u.Created }

// Deps implements Entry.
func (u *UpstreamTrafficSetting) Deps(list []Dep) []Dep {
	if u.Service != (Name{}) {
		list = append(list, Dep{DepUpstreamSetting, u.Service})
	}
	if u.Kind == KindUpstreamTrafficSetting {
		list = append(list, Dep{DepNamedUpstreamSetting, u.Name})
	}
	return list
}

// ConnectionSettings apply in each client's sidecar. Nil and 0 mean no limit.
type ConnectionSettings struct {
	MaxConnections           *uint32
	MaxPendingRequests       *uint32
	MaxRequests              *uint32
	MaxRetries               *uint32
	MaxRequestsPerConnection *uint32
	// ConnectTimeout bounds connecting and the TLS handshake together.
	ConnectTimeout time.Duration
	// RequestTimeout bounds a request up to the end of its response.
	RequestTimeout time.Duration
	// HTTPIdleTimeout closes HTTP connections without requests, TCPIdleTimeout TCP connections without bytes.
	HTTPIdleTimeout time.Duration
	TCPIdleTimeout  time.Duration
}

// RateLimit is a token bucket: Tokens are added every Interval, up to Tokens plus Burst.
type RateLimit struct {
	Tokens   uint32
	Burst    uint32
	Interval time.Duration
}

// RequestRateLimit is a rate limit and the response to requests above it.
type RequestRateLimit struct {
	RateLimit
	// Status is the status code of the response, 400 to 599.
	Status uint32
	// Headers are added to the response, in order.
	Headers []Header
}

// Header is a response header.
type Header struct {
	Name  string
	Value string
}

// RouteRateLimit bounds the requests of routes with exactly this path expression, as in OSM.
type RouteRateLimit struct {
	Path  string
	Limit RequestRateLimit
}

// OutlierDetection ejects failing endpoints. Zero values mean Envoy's defaults.
type OutlierDetection struct {
	// ConsecutiveErrors is the number of consecutive 5xx responses or failed connections after which an endpoint is
	// ejected.
	ConsecutiveErrors uint32
	Interval          time.Duration
	BaseEjectionTime  time.Duration
	// MaxEjectionPercent of the endpoints may be ejected at one time.
	MaxEjectionPercent *uint32
}

// HealthCheck makes clients' sidecars check each endpoint. Zero values mean OSM's defaults: every 10 s with a timeout
// of 1 s, unhealthy after 3 failures, healthy after 1 success.
type HealthCheck struct {
	Interval           time.Duration
	Timeout            time.Duration
	UnhealthyThreshold uint32
	HealthyThreshold   uint32
}

// defaultHealthInterval is that of OSM.
const defaultHealthInterval = 10 * time.Second

// EffectiveInterval returns the interval of the checks, which may be the default.
func (h *HealthCheck) EffectiveInterval() time.Duration {
	return cmp.Or(h.Interval, defaultHealthInterval)
}

// UpstreamSetting returns the setting in force for a Service: the oldest, the first by name among those of equal age.
// A Backpressure applies only without an UpstreamTrafficSetting. Nil if there is none.
func (v *View) UpstreamSetting(service Name) *UpstreamTrafficSetting {
	dep := Dep{DepUpstreamSetting, service}
	all := func(*UpstreamTrafficSetting) bool { return true }
	return cmp.Or(
		oldestOf(v, KindUpstreamTrafficSetting, dep, all),
		oldestOf(v, KindBackpressure, dep, all),
	)
}

// GlobalLimit is a limit over all pods of a Service, which a server with Envoy's rate limit API counts.
type GlobalLimit struct {
	// Address and Port are those of the server.
	Address string
	Port    uint16
	// Domain selects a set of limits in the server.
	Domain string
	// Timeout bounds each decision. Without one in time, FailOpen decides.
	Timeout  time.Duration
	FailOpen bool
}

// GlobalConnectionLimit limits new connections.
type GlobalConnectionLimit struct {
	GlobalLimit
	Descriptors []ConnectionDescriptor
}

// ConnectionDescriptor is sent for each connection.
type ConnectionDescriptor []DescriptorEntry

// DescriptorEntry is a key with a fixed value.
type DescriptorEntry struct{ Key, Value string }

// GlobalRequestLimit limits requests.
type GlobalRequestLimit struct {
	GlobalLimit
	// Descriptors are sent for requests to routes without their own.
	Descriptors []RequestDescriptor
	// Routes have descriptors for single routes, sorted by path.
	Routes []RouteDescriptors
	// LimitHeaders adds the state of the limit to responses.
	LimitHeaders bool
	// Status is the status code of requests above the limit.
	Status uint32
}

// RouteDescriptors are sent for requests to routes with exactly this path expression.
type RouteDescriptors struct {
	Path        string
	Descriptors []RequestDescriptor
}

// RequestDescriptor is sent for each request that has all its entries.
type RequestDescriptor []RequestEntry

// RequestEntry is a key whose value comes from the request.
type RequestEntry struct {
	// Key is empty for the default of its kind.
	Key string
	// Value is a fixed value. If it is empty, the value is that of Header, or the address of the client if Header is empty too.
	Value  string
	Header string
	// Match restricts a fixed value to requests whose headers match, or do not match if Unmatched is true.
	Match     []LimitHeaderMatch
	Unmatched bool
}

// LimitHeaderMatch matches a header.
type LimitHeaderMatch struct {
	Name string
	// Kind is exact, prefix, suffix, regex, contains, present or absent; Value is empty for the last two.
	Kind, Value string
}
