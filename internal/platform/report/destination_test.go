package report

import "testing"

func TestDestination(t *testing.T) {
	for cluster, want := range map[string]Destination{
		"shop/web|8080":                       {Service: "shop/web", Port: "8080"},
		"shop/web|8080|h2":                    {Service: "shop/web", Port: "8080"},
		"shop/web|8080|pods":                  {Service: "shop/web", Port: "8080"},
		"shop/web|8080|local":                 {Service: "shop/web", Port: "8080", Local: true},
		"example.com:443":                     {Outside: "example.com:443"},
		"443":                                 {Outside: "443"},
		"passthrough-outbound":                {Outside: "passthrough-outbound"},
		"liveness_cluster":                    {},
		"readiness_cluster/web":               {},
		"ready_cluster":                       {},
		"osm-controller":                      {},
		"envoy-metrics-cluster":               {},
		"envoy-tracing-cluster":               {},
		"external-authorization":              {},
		"external-authorization|shop":         {},
		"ratelimit|limits.example.com:8080":   {},
		"egress-http.shop.web.example.com:80": {Outside: "egress-http.shop.web.example.com:80"},
	} {
		if got := (Load{Cluster: cluster}).Destination(); got != want {
			t.Errorf("%s: %+v, want %+v", cluster, got, want)
		}
	}
}
