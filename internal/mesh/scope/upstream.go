package scope

import (
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Upstream is the part of an UpstreamTrafficSetting that applies in clients' sidecars.
type Upstream struct {
	Connections      catalog.ConnectionSettings
	OutlierDetection *catalog.OutlierDetection
	HealthCheck      *catalog.HealthCheck
}

// Limits is the part of an UpstreamTrafficSetting that applies in servers' sidecars, to each pod separately.
type Limits struct {
	// Policy is the setting that has the limits.
	Policy catalog.Ref
	// Connections bounds new connections to the port, for every protocol.
	Connections *catalog.RateLimit
	// Requests bounds requests to an HTTP port. Routes bound the requests of single routes instead.
	Requests *catalog.RequestRateLimit
	Routes   []catalog.RouteRateLimit
	// GlobalConnections and GlobalRequests bound the rates of all pods together.
	GlobalConnections *catalog.GlobalConnectionLimit
	GlobalRequests    *catalog.GlobalRequestLimit
}

// UpstreamSetting returns the setting in force for a Service: its own, or else that of the first root, by name, of the
// TrafficSplits to it. Clients of a split know its root only, and so do authors of limits.
func UpstreamSetting(v *catalog.View, service catalog.Name) *catalog.UpstreamTrafficSetting {
	if setting := v.UpstreamSetting(service); setting != nil {
		return setting
	}
	for _, root := range v.RootsOf(service) {
		if !splitsTo(v, root, service) {
			continue
		}
		if setting := v.UpstreamSetting(root); setting != nil {
			return setting
		}
	}
	return nil
}

// splitsTo reports whether a TrafficSplit in force sends requests for root to the Service. A split that lost to an
// older one does not.
func splitsTo(v *catalog.View, root, service catalog.Name) bool {
	sends := func(split *catalog.TrafficSplit) bool {
		return slices.ContainsFunc(split.Backends, func(b catalog.SplitBackend) bool { return b.Service == service })
	}
	split := v.Split(root)
	return split != nil && sends(split) || slices.ContainsFunc(v.MatchingSplits(root), sends)
}

// upstream has the client-side settings for a Service; nil means defaults.
func (o outboundBuilder) upstream(service catalog.Name) *Upstream {
	setting := UpstreamSetting(o.view, service)
	healthChecked := o.view.Settings().ActiveHealthChecks
	if setting == nil && !healthChecked {
		return nil
	}
	up := &Upstream{}
	if setting != nil {
		up.Connections, up.OutlierDetection, up.HealthCheck = setting.Connections, setting.OutlierDetection, setting.HealthCheck
	}
	if up.HealthCheck == nil && healthChecked {
		up.HealthCheck = &catalog.HealthCheck{}
	}
	return up
}

// defaultIdleTimeout is after what time without data Envoy closes a TCP connection by default.
const defaultIdleTimeout = time.Hour

// longIdleTimeout returns the idle timeout of connections to a TCP port if it exceeds the default; 0 otherwise, because the
// sidecar of the client closes them earlier.
func longIdleTimeout(setting *catalog.UpstreamTrafficSetting, protocol catalog.Protocol) time.Duration {
	if setting == nil || protocol.IsHTTP() || setting.Connections.TCPIdleTimeout <= defaultIdleTimeout {
		return 0
	}
	return setting.Connections.TCPIdleTimeout
}

// limitsOf returns the limits of a setting, or nil if it has none.
func limitsOf(setting *catalog.UpstreamTrafficSetting) *Limits {
	if setting == nil || setting.ConnectionRate == nil && setting.RequestRate == nil && len(setting.Routes) == 0 &&
		setting.GlobalConnections == nil && setting.GlobalRequests == nil {
		return nil
	}
	return &Limits{
		Policy: setting.Ref(), Connections: setting.ConnectionRate, Requests: setting.RequestRate, Routes: setting.Routes,
		GlobalConnections: setting.GlobalConnections, GlobalRequests: setting.GlobalRequests,
	}
}
