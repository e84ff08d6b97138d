package catalog_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestForwardedHosts checks that the egress gateway does not forward into the cluster, except to the namespaces that the Mesh names, and never to the mesh.
func TestForwardedHosts(t *testing.T) {
	const refused, outside, inside = "refused", "outside", "inside"
	for host, want := range map[string]struct{ byDefault, withShop string }{
		"osm-prometheus":                                   {refused, refused},
		"metadata":                                         {refused, refused},
		"osm-prometheus.osm-system":                        {refused, refused},
		"osm-controller.osm-system.svc":                    {refused, refused},
		"OSM-Controller.OSM-System.svc.cluster.local.":     {refused, refused},
		"10-0-0-1.osm-system.pod.cluster.local":            {refused, refused},
		"pod.headless.osm-system.svc.cluster.local":        {refused, refused},
		"kube-dns.kube-system.svc":                         {refused, refused},
		"osm-prometheus.osm-system.cluster.local":          {refused, refused},
		"kubernetes.default.svc":                           {refused, refused},
		"web.shop.svc.cluster.local":                       {refused, inside},
		"0.web.shop.svc":                                   {refused, inside},
		"10-0-0-1.shop.pod":                                {refused, inside},
		"web.shop":                                         {outside, inside},
		"example.com":                                      {outside, outside},
		"osm-system.example.com":                           {outside, outside},
		"api.osm-system.example.com":                       {outside, outside},
		"192.0.2.1":                                        {outside, outside},
		"2001:db8::1":                                      {outside, outside},
		"osm-prometheus.osm-system.svc.example.com":        {outside, outside},
		"osm-controller.osm-system.svc.cluster.local.test": {outside, outside},
	} {
		evaluate := func(namespaces ...string) string {
			hosts := catalog.ForwardedHosts{MeshNamespace: "osm-system", Namespaces: namespaces}
			switch {
			case !hosts.Allows(host):
				return refused
			case hosts.IsInside(host):
				return inside
			}
			return outside
		}
		if got := evaluate(); got != want.byDefault {
			t.Errorf("%s is %s by default, want %s", host, got, want.byDefault)
		}
		if got := evaluate("shop", "osm-system", "kube-system"); got != want.withShop {
			t.Errorf("%s is %s if the Mesh names namespaces, want %s", host, got, want.withShop)
		}
	}
}
