package upstream

import (
	"cmp"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Kinds of the policies. A Backpressure is the predecessor in early OSM releases.
const (
	Kind                     = entity.KindUpstreamTrafficSetting
	Backpressure entity.Kind = "Backpressure"
)

// Policy configures the traffic to a Service for all its clients (policy.openservicemesh.io).
type Policy struct {
	// Kind is Kind, or Backpressure for its predecessor in early OSM releases.
	Kind    entity.Kind
	Name    entity.Name
	Created time.Time
	// Service is the one that spec.host names. It is in the setting's namespace. It is empty if the host is not a Service: only an Egress
	// that names the setting uses it then.
	Service     entity.Name
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

// Ref implements catalog.Entry.
func (p *Policy) Ref() entity.Ref { return p.Kind.Ref(p.Name) }

// Age implements catalog.Aged.
func (p *Policy) Age() time.Time { return p.Created }

// Deps implements catalog.Entry.
func (p *Policy) Deps(list []entity.Dep) []entity.Dep {
	if p.Service != (entity.Name{}) {
		list = append(list, policiesOf(p.Service))
	}
	if p.Kind == Kind {
		list = append(list, entity.DepNamedUpstreamSetting.Of(p.Name))
	}
	return list
}

// InForce returns the setting in force for a Service: the oldest, the first by name among those of equal age.
// A Backpressure applies only without an UpstreamTrafficSetting. Nil if there is none.
func InForce(v *catalog.View, service entity.Name) *Policy {
	all := func(*Policy) bool { return true }
	return cmp.Or(catalog.Oldest(v, Kind, policiesOf(service), all), catalog.Oldest(v, Backpressure, policiesOf(service), all))
}

// Named returns an UpstreamTrafficSetting by its own name, or nil.
func Named(v *catalog.View, name entity.Name) *Policy {
	return catalog.Named[*Policy](v, Kind, entity.DepNamedUpstreamSetting, name)
}

func policiesOf(service entity.Name) entity.Dep {
	return entity.DepUpstreamSetting.Of(service)
}

// MaxIdleTimeout is how long a client's sidecar keeps an HTTP connection without requests to another sidecar, at most. It is shorter than the drain of a
// server's listener, at whose end the server closes idle connections without notice: by then, each connection has had a response that announces the end, or
// its client has closed it.
const MaxIdleTimeout = names.DrainTime * 2 / 3

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
	// HTTPIdleTimeout closes HTTP connections without requests, between sidecars after MaxIdleTimeout at the latest. TCPIdleTimeout closes TCP connections
	// without bytes.
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
