package ingest

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// Minimums of durations. The sidecars of all clients apply the settings of a Service, so its author must not be able to
// keep them busy.
const (
	// minPeriod is for intervals, and for timeouts after which a sidecar repeats work.
	minPeriod = time.Second
	// minTimeout is for timeouts of single operations.
	minTimeout = 10 * time.Millisecond
)

// UpstreamTrafficSetting reads an UpstreamTrafficSetting (policy.openservicemesh.io/v1alpha1). There is no entry without a host.
// Invalid fields are skipped and the others apply.
func UpstreamTrafficSetting(u *unstructured.Unstructured) (*catalog.UpstreamTrafficSetting, []Problem) {
	var found problems
	spec := specObject(u, &found)
	setting := &catalog.UpstreamTrafficSetting{
		Kind: catalog.KindUpstreamTrafficSetting, Name: nameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Connections:      connectionSettings(spec.object("connectionSettings")),
		OutlierDetection: outlierDetection(spec),
		HealthCheck:      healthCheck(spec),
	}
	var usable bool
	setting.Service, usable = settingHost(spec, u.GetNamespace())
	rateLimits(spec, setting)
	setting.Routes = routeLimits(spec)
	globalLimits(spec, setting)
	if malformed := found.onlyMalformed(); len(malformed) > 0 {
		return nil, malformed
	}
	if !usable {
		return nil, found
	}
	return setting, found
}

// settingHost reads the Service that the host names; it is empty for other hosts. Only an Egress uses settings of those.
func settingHost(spec object, namespace string) (catalog.Name, bool) {
	host := spec.text("host")
	if host == "" {
		spec.problems.reject(ReasonInvalidName, "spec.host is empty, so this UpstreamTrafficSetting is not used: write <service>.%s.svc.cluster.local.", namespace)
		return catalog.Name{}, false
	}
	service, local := localService(host, namespace)
	if local && strings.Contains(host, ".") {
		return service, true
	}
	spec.problems.warn(ReasonNotUsed, "spec.host %.80q is not the DNS name of a Service of the namespace %s, so this UpstreamTrafficSetting applies only where an Egress names it: for a Service, write <service>.%s.svc.cluster.local.", host, namespace, namespace)
	return catalog.Name{}, true
}

func connectionSettings(spec object) catalog.ConnectionSettings {
	tcp, http := spec.object("tcp"), spec.object("http")
	return catalog.ConnectionSettings{
		MaxConnections:           tcp.count("maxConnections", 0),
		ConnectTimeout:           tcp.durationFrom("connectTimeout", "5s", minTimeout),
		TCPIdleTimeout:           tcp.durationFrom("idleTimeout", "1h", minPeriod),
		MaxPendingRequests:       http.count("maxPendingRequests", 0),
		MaxRequests:              http.count("maxRequests", 0),
		MaxRetries:               http.count("maxRetries", 0),
		MaxRequestsPerConnection: http.count("maxRequestsPerConnection", 0),
		RequestTimeout:           http.durationFrom("requestTimeout", "15s", minTimeout),
		HTTPIdleTimeout:          http.durationFrom("idleTimeout", "1h", minPeriod),
	}
}

func outlierDetection(spec object) *catalog.OutlierDetection {
	outlier := spec.object("outlierDetection")
	if outlier.fields == nil {
		return nil
	}
	return &catalog.OutlierDetection{
		ConsecutiveErrors:  valueOrZero(outlier.count("consecutiveErrors", 1)),
		Interval:           outlier.durationFrom("interval", "10s", minPeriod),
		BaseEjectionTime:   outlier.durationFrom("baseEjectionTime", "30s", minPeriod),
		MaxEjectionPercent: outlier.number("maxEjectionPercent", 0, 100),
	}
}

func healthCheck(spec object) *catalog.HealthCheck {
	check := spec.object("healthCheck")
	if check.fields == nil {
		return nil
	}
	return &catalog.HealthCheck{
		Interval:           check.durationFrom("interval", "10s", minPeriod),
		Timeout:            check.durationFrom("timeout", "1s", minTimeout),
		UnhealthyThreshold: valueOrZero(check.count("unhealthyThreshold", 1)),
		HealthyThreshold:   valueOrZero(check.count("healthyThreshold", 1)),
	}
}
