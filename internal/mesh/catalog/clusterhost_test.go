package catalog_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestIsProtectedHost(t *testing.T) {
	for host, want := range map[string]bool{
		"osm-prometheus":                                   true,
		"metadata":                                         true,
		"osm-prometheus.osm-system":                        true,
		"osm-controller.osm-system.svc":                    true,
		"OSM-Controller.OSM-System.svc.cluster.local.":     true,
		"10-0-0-1.osm-system.pod.cluster.local":            true,
		"pod.headless.osm-system.svc.cluster.local":        true,
		"kube-dns.kube-system.svc":                         true,
		"osm-prometheus.osm-system.cluster.local":          true,
		"kubernetes.default.svc":                           false,
		"web.shop.svc.cluster.local":                       false,
		"example.com":                                      false,
		"osm-system.example.com":                           false,
		"api.osm-system.example.com":                       false,
		"192.0.2.1":                                        false,
		"2001:db8::1":                                      false,
		"osm-prometheus.osm-system.svc.example.com":        false,
		"osm-controller.osm-system.svc.cluster.local.test": false,
	} {
		if got := catalog.IsProtectedHost(host, "osm-system"); got != want {
			t.Errorf("%s is protected: %t, want %t", host, got, want)
		}
	}
}
