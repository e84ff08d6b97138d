package upstream

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// The sidecars of all clients apply the settings of a Service, so its author must not be able to keep them busy.
//
// minPeriod is for intervals, and for timeouts after which a sidecar repeats work.
const minPeriod = time.Second

// Read reads an UpstreamTrafficSetting (policy.openservicemesh.io/v1alpha1). There is no entry without a host.
// Invalid fields are skipped and the others apply.
func Read(u *unstructured.Unstructured) (*Policy, []ingest.Problem) {
	spec, found, ok := ingest.DecodeObject[policyv1alpha1.UpstreamTrafficSettingSpec](u)
	if !ok {
		return nil, found
	}
	setting := &Policy{
		Kind: Kind, Name: ingest.NameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Connections:      connectionSettings(spec.ConnectionSettings, &found),
		OutlierDetection: outlierDetection(spec.OutlierDetection, &found),
		HealthCheck:      healthCheck(spec.HealthCheck, &found),
	}
	var usable bool
	setting.Service, usable = settingHost(spec.Host, u.GetNamespace(), &found)
	warnIdle(setting, &found)
	undecoded, _ := ingest.SpecOf(u).(map[string]any)
	warnUnknownLimits("spec.rateLimit", undecoded["rateLimit"], &found)
	rateLimits(spec.RateLimit, setting, &found)
	setting.Routes = routeLimits(spec.HTTPRoutes, undecoded["httpRoutes"], &found)
	globalLimits(&spec, setting, &found)
	if !usable {
		return nil, found
	}
	return setting, found
}

// warnIdle warns about an idle timeout that sidecars do not wait for. Servers outside the mesh have no drain that they wait for.
func warnIdle(setting *Policy, found *ingest.Problems) {
	if idle := setting.Connections.HTTPIdleTimeout; setting.Service != (entity.Name{}) && idle > MaxIdleTimeout {
		found.Warn(ingest.ReasonInvalidDuration, "spec.connectionSettings.http.idleTimeout %s is too long between sidecars and counts as %s: write at most %s, or omit the field.", idle, MaxIdleTimeout, MaxIdleTimeout)
	}
}

// settingHost reads the Service that the host names; it is empty for other hosts. Only an Egress uses settings of those.
func settingHost(host, namespace string, found *ingest.Problems) (entity.Name, bool) {
	if host == "" {
		found.Reject(ingest.ReasonInvalidName, "spec.host is empty, so this UpstreamTrafficSetting is not used: write <service>.%s.svc.cluster.local.", namespace)
		return entity.Name{}, false
	}
	service, local := ingest.LocalService(host, namespace)
	if local && strings.Contains(host, ".") {
		return service, true
	}
	if elsewhere, named := serviceElsewhere(host); named {
		found.Idle(ingest.ReasonNotUsed, "spec.host %.80q is a Service of the namespace %s, and this UpstreamTrafficSetting is in %s, so it applies only where an Egress names it: create it in the namespace %s.",
			host, elsewhere.Namespace, namespace, elsewhere.Namespace)
		return entity.Name{}, true
	}
	found.Idle(ingest.ReasonNotUsed, "spec.host %.80q is not the DNS name of a Service of the namespace %s, so this UpstreamTrafficSetting applies only where an Egress names it: for a Service, write <service>.%s.svc.cluster.local.", host, namespace, namespace)
	return entity.Name{}, true
}

// serviceElsewhere returns the Service of a DNS name with the label svc.
func serviceElsewhere(host string) (entity.Name, bool) {
	labels := strings.SplitN(host, ".", 4)
	if len(labels) < 3 || labels[0] == "" || labels[1] == "" || labels[2] != "svc" || len(labels) == 4 && labels[3] != "cluster.local" {
		return entity.Name{}, false
	}
	return entity.Name{Namespace: labels[1], Name: labels[0]}, true
}

func connectionSettings(spec *policyv1alpha1.ConnectionSettingsSpec, found *ingest.Problems) ConnectionSettings {
	var settings ConnectionSettings
	if spec == nil {
		return settings
	}
	if tcp := spec.TCP; tcp != nil {
		const path = "spec.connectionSettings.tcp."
		settings.MaxConnections = found.Count(path+"maxConnections", tcp.MaxConnections, 0)
		warnNone(path+"maxConnections", settings.MaxConnections, "TCP connections are closed, and HTTP requests share one connection to each endpoint", found)
		settings.ConnectTimeout = found.DurationFrom(path+"connectTimeout", tcp.ConnectTimeout, "5s", ingest.MinTimeout)
		settings.TCPIdleTimeout = found.DurationFrom(path+"idleTimeout", tcp.IdleTimeout, "1h", minPeriod)
	}
	if http := spec.HTTP; http != nil {
		const path = "spec.connectionSettings.http."
		settings.MaxPendingRequests = found.Count(path+"maxPendingRequests", http.MaxPendingRequests, 0)
		settings.MaxRequests = found.Count(path+"maxRequests", http.MaxRequests, 0)
		warnNone(path+"maxPendingRequests", settings.MaxPendingRequests, "requests that need a new connection get status 503", found)
		warnNone(path+"maxRequests", settings.MaxRequests, "all requests get status 503", found)
		settings.MaxRetries = found.Count(path+"maxRetries", http.MaxRetries, 0)
		settings.MaxRequestsPerConnection = found.Count(path+"maxRequestsPerConnection", http.MaxRequestsPerConnection, 0)
		settings.RequestTimeout = found.DurationFrom(path+"requestTimeout", http.RequestTimeout, "15s", ingest.MinTimeout)
		settings.HTTPIdleTimeout = found.DurationFrom(path+"idleTimeout", http.IdleTimeout, "1h", minPeriod)
	}
	return settings
}

// warnNone warns about a limit of 0, which some authors read as no limit.
func warnNone(path string, limit *uint32, effect string, found *ingest.Problems) {
	if limit != nil && *limit == 0 {
		found.Warn(ingest.ReasonInvalidNumber, "%s is 0, so %s: write a number from 1, or omit the field for no limit.", path, effect)
	}
}

func outlierDetection(spec *policyv1alpha1.OutlierDetectionSpec, found *ingest.Problems) *OutlierDetection {
	if spec == nil {
		return nil
	}
	const path = "spec.outlierDetection."
	return &OutlierDetection{
		ConsecutiveErrors:  ptr.Deref(found.Count(path+"consecutiveErrors", spec.ConsecutiveErrors, 1), 0),
		Interval:           found.DurationFrom(path+"interval", spec.Interval, "10s", minPeriod),
		BaseEjectionTime:   found.DurationFrom(path+"baseEjectionTime", spec.BaseEjectionTime, "30s", minPeriod),
		MaxEjectionPercent: found.Number(path+"maxEjectionPercent", spec.MaxEjectionPercent, 0, 100),
	}
}

func healthCheck(spec *policyv1alpha1.HealthCheckSpec, found *ingest.Problems) *HealthCheck {
	if spec == nil {
		return nil
	}
	const path = "spec.healthCheck."
	return &HealthCheck{
		Interval:           found.DurationFrom(path+"interval", spec.Interval, "10s", minPeriod),
		Timeout:            found.DurationFrom(path+"timeout", spec.Timeout, "1s", ingest.MinTimeout),
		UnhealthyThreshold: ptr.Deref(found.Count(path+"unhealthyThreshold", spec.UnhealthyThreshold, 1), 0),
		HealthyThreshold:   ptr.Deref(found.Count(path+"healthyThreshold", spec.HealthyThreshold, 1), 0),
	}
}

// backpressureLabel on a Backpressure names its Service.
const backpressureLabel = "app"

// ReadBackpressure reads a Backpressure of early OSM releases (policy.openservicemesh.io/v1alpha1) as the equivalent
// UpstreamTrafficSetting.
func ReadBackpressure(u *unstructured.Unstructured) (*Policy, []ingest.Problem) {
	spec, found, ok := ingest.DecodeObject[policyv1alpha1.BackpressureSpec](u)
	if !ok {
		return nil, found
	}
	setting := &Policy{
		Kind: Backpressure, Name: ingest.NameOf(u), Created: u.GetCreationTimestamp().UTC(),
		Service: entity.Name{Namespace: u.GetNamespace(), Name: u.GetLabels()[backpressureLabel]},
		Connections: ConnectionSettings{
			MaxConnections:           found.Count("spec.maxConnections", spec.MaxConnections, 0),
			MaxPendingRequests:       found.Count("spec.maxPendingRequests", spec.MaxPendingRequests, 0),
			MaxRequests:              found.Count("spec.maxRequests", spec.MaxRequests, 0),
			MaxRetries:               found.Count("spec.maxRetries", spec.MaxRetries, 0),
			MaxRequestsPerConnection: found.Count("spec.maxRequestsPerConnection", spec.MaxRequestsPerConnection, 0),
		},
	}
	if len(validation.IsDNS1123Label(setting.Service.Name)) > 0 {
		found.Reject(ingest.ReasonInvalidName, "The label %s of this Backpressure is %.80q and names no Service, so it is not used: write an UpstreamTrafficSetting with spec.host <service>.%s.svc.cluster.local.", backpressureLabel, setting.Service.Name, u.GetNamespace())
		return nil, found
	}
	return setting, found
}
