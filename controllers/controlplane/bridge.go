package controlplane

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
)

// parseBridgeUntil parses a time; the zero time if it is empty.
func parseBridgeUntil(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--bridge-until is %q: write a time such as 2026-12-01T06:00:00Z: %w", text, err)
	}
	return until, nil
}

// newBridge returns the bridge for sidecars of Open Service Mesh, and registers its metrics; nil without a time.
func newBridge(config Config, until time.Time, certificates *certificate.Manager, store *snapshot.Store, registry prometheus.Registerer) *xds.Bridge {
	if until.IsZero() {
		return nil
	}
	registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "osm_bridge_proxy_connect_count", Help: "Connected sidecars of Open Service Mesh.",
		}, func() float64 { return float64(store.CountOSMProxies()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "osm_bridge_remaining_seconds", Help: "Time until sidecars of Open Service Mesh are not served any more.",
		}, func() float64 { return max(0, time.Until(until).Seconds()) }),
	)
	return &xds.Bridge{Until: until, TrustDomain: config.TrustDomain, Roots: certificates.Root}
}
