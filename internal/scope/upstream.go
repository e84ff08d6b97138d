package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Upstream is what the sidecars of clients make of an UpstreamTrafficSetting.
type Upstream struct {
	Connections      catalog.ConnectionSettings
	OutlierDetection *catalog.OutlierDetection
	HealthCheck      *catalog.HealthCheck
}

// Limits is what the sidecar of a server makes of an UpstreamTrafficSetting. Each pod counts for itself.
type Limits struct {
	// Connections bounds new connections to the port, whatever its protocol.
	Connections *catalog.RateLimit
	// Requests bounds requests to an HTTP port, Routes those of single routes instead.
	Requests *catalog.RequestRateLimit
	Routes   []catalog.RouteRateLimit
}

// upstreamSetting is the setting in force for a Service: its own, or else that of the first root, by name, of the TrafficSplits that
// lead to it. Clients of a split know its root only, and so do those who set limits for it.
func upstreamSetting(v *catalog.View, service catalog.Name) *catalog.UpstreamTrafficSetting {
	if setting := v.UpstreamSetting(service); setting != nil {
		return setting
	}
	for _, root := range v.RootsOf(service) {
		if root == service || !leadsTo(v, root, service) {
			continue
		}
		if setting := v.UpstreamSetting(root); setting != nil {
			return setting
		}
	}
	return nil
}

// leadsTo says whether a TrafficSplit in force sends requests for root to the Service. One that lost to an older split does not.
func leadsTo(v *catalog.View, root, service catalog.Name) bool {
	splits := v.MatchingSplits(root)
	if split := v.Split(root); split != nil {
		splits = append(splits, split)
	}
	return slices.ContainsFunc(splits, func(s *catalog.TrafficSplit) bool {
		return slices.ContainsFunc(s.Backends, func(b catalog.SplitBackend) bool { return b.Service == service })
	})
}

// upstream is how clients treat a Service; nil leaves everything at its default.
func (o outbounds) upstream(service catalog.Name) *Upstream {
	setting := upstreamSetting(o.view, service)
	checked := o.view.Settings().ActiveHealthChecks
	if setting == nil && !checked {
		return nil
	}
	up := &Upstream{}
	if setting != nil {
		up.Connections, up.OutlierDetection, up.HealthCheck = setting.Connections, setting.OutlierDetection, setting.HealthCheck
	}
	if up.HealthCheck == nil && checked {
		up.HealthCheck = &catalog.HealthCheck{}
	}
	return up
}

// limitsOf are the limits in a setting, nil without any.
func limitsOf(setting *catalog.UpstreamTrafficSetting) *Limits {
	if setting == nil || setting.ConnectionRate == nil && setting.RequestRate == nil && len(setting.Routes) == 0 {
		return nil
	}
	return &Limits{Connections: setting.ConnectionRate, Requests: setting.RequestRate, Routes: setting.Routes}
}
