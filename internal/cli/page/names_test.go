package page_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// TestOutsideDestinationsHaveHostAndPort has the clusters of all kinds of destinations outside the mesh.
func TestOutsideDestinationsHaveHostAndPort(t *testing.T) {
	for cluster, want := range map[string]string{
		"api.example.com:443": "api.example.com:443",
		"api.example.com_443": "api.example.com:443",
		"egress-http.e93a6c268760698ed1529cc628440b64.10.244.0.1:18099": "10.244.0.1:18099",
		"egress-tls.e93a6c268760698ed1529cc628440b64.my-host.test:443":  "my-host.test:443",
		"egress-http.example.com:80":                                    "egress-http.example.com:80",
		"8080":                                                          "port 8080",
		"passthrough-outbound":                                          "any address",
	} {
		nodes, _ := page.Graph(page.Traffic{Loads: []report.Load{{Client: "shop/web", Cluster: cluster, LoadCounts: report.LoadCounts{Issued: 1}}}})
		if len(nodes) != 2 || nodes[0].Name != want || nodes[0].Kind != page.Outside {
			t.Errorf("%s: nodes %+v, want %s", cluster, nodes, want)
		}
	}
}
