package catalog

import (
	"cmp"
	"time"
)

// UpstreamTrafficSetting bounds the traffic to a Service (policy.openservicemesh.io), for all its clients.
type UpstreamTrafficSetting struct {
	// Kind is KindUpstreamTrafficSetting, or KindBackpressure for its forerunner in OSM's first releases.
	Kind    Kind
	Name    Name
	Created time.Time
	// Service is the one the setting's host names; it lies in the setting's own namespace.
	Service     Name
	Connections ConnectionSettings
	// ConnectionRate bounds new connections to TCP ports at each pod of the Service; nil does not.
	ConnectionRate *RateLimit
	// RequestRate bounds requests to HTTP ports at each pod of the Service; nil does not.
	RequestRate *RequestRateLimit
	// Routes bound the requests of single routes, sorted by path, instead of RequestRate.
	Routes           []RouteRateLimit
	OutlierDetection *OutlierDetection
	HealthCheck      *HealthCheck
}

// Ref implements Entry.
func (u *UpstreamTrafficSetting) Ref() Ref { return Ref{u.Kind, u.Name} }

// ConnectionSettings act in the sidecar of each client. Nil and 0 leave a limit away.
type ConnectionSettings struct {
	MaxConnections           *uint32
	MaxPendingRequests       *uint32
	MaxRequests              *uint32
	MaxRetries               *uint32
	MaxRequestsPerConnection *uint32
	// ConnectTimeout bounds the connection and the TLS handshake together.
	ConnectTimeout time.Duration
	// RequestTimeout bounds a request up to the end of its answer.
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

// RequestRateLimit is a rate limit with the answer to what exceeds it.
type RequestRateLimit struct {
	RateLimit
	// Status is the answer's status code, 400 to 599.
	Status uint32
	// Headers are added to the answer, in order.
	Headers []Header
}

// Header is a header of an answer.
type Header struct {
	Name  string
	Value string
}

// RouteRateLimit bounds the requests of the routes whose path expression is Path, letter by letter (OSM).
type RouteRateLimit struct {
	Path  string
	Limit RequestRateLimit
}

// OutlierDetection leaves out endpoints that fail. Zero values are Envoy's defaults.
type OutlierDetection struct {
	// ConsecutiveErrors of the 5xx kind, or failed connections, throw an endpoint out.
	ConsecutiveErrors uint32
	Interval          time.Duration
	BaseEjectionTime  time.Duration
	// MaxEjectionPercent of the endpoints may be out at one time.
	MaxEjectionPercent *uint32
}

// HealthCheck makes the sidecars of clients ask each endpoint whether it is well. Zero values are OSM's defaults: every 10 s,
// within 1 s, out after 3 failures, back after 1 success.
type HealthCheck struct {
	Interval           time.Duration
	Timeout            time.Duration
	UnhealthyThreshold uint32
	HealthyThreshold   uint32
}

// UpstreamSetting is the setting in force for a Service: the oldest, by name among those of equal age; a Backpressure only
// when there is nothing else. Nil without one.
func (v *View) UpstreamSetting(service Name) *UpstreamTrafficSetting {
	v.deps.add(DepUpstreamSetting, service)
	every := func(*UpstreamTrafficSetting) bool { return true }
	return cmp.Or(
		oldestOf(v, KindUpstreamTrafficSetting, v.catalog.settingsOf[service], every),
		oldestOf(v, KindBackpressure, v.catalog.backpressuresOf[service], every),
	)
}
