package gateway_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
)

// TestPermittedMetadata checks which labels and annotations of a Gateway its Service may have.
func TestPermittedMetadata(t *testing.T) {
	class := &catalog.GatewayClass{Metadata: []string{"team", "example.com/note", "dns.example.com/", "openservicemesh.io/", "app", "app.kubernetes.io/part-of", "lb.example"}}
	for key, want := range map[string]bool{
		"team": true, "teams": false, "example.com/note": true, "example.com/notes": false, "example.com/other": false, "dns.example.com/hostname": true,
		"dns.example.com": false, "other.dns.example.com/hostname": false, "lb.example/scheme": false, "unknown": false,
		"openservicemesh.io/monitored-by": false, "operator.openservicemesh.io/drift": false, "app": false, "app.kubernetes.io/part-of": false, "gateway.networking.k8s.io/gateway-name": false,
	} {
		if got := gateway.MayHaveMetadata(class, key); got != want {
			t.Errorf("%s: %t, want %t", key, got, want)
		}
	}
	if gateway.MayHaveMetadata(&catalog.GatewayClass{}, "team") {
		t.Error("without permitted metadata, a label is permitted")
	}
}

// TestStatusNamesOmittedMetadata checks that a Gateway says which labels and annotations its Service lacks, and what to do.
func TestStatusNamesOmittedMetadata(t *testing.T) {
	class := dedicated()
	class.Metadata = []string{"team"}
	for name, test := range map[string]struct {
		keys []string
		want string
	}{
		"none":      {nil, ""},
		"permitted": {[]string{"team"}, ""},
		"not permitted": {[]string{"dns.example.com/hostname", "team"}, "The Service lacks these labels and annotations of spec.infrastructure: dns.example.com/hostname. " +
			"Who manages the mesh can add them to spec.ingressGateway.service.allowedMetadata of the Mesh."},
		"reserved": {[]string{"app", "team"}, "The Service lacks these labels and annotations of spec.infrastructure, because the mesh uses such keys: app. Remove them."},
		"many":     {[]string{"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b"}, "a8, a9 and 1 more."},
	} {
		g := gatewayOf("web", http("a", "a.example"))
		g.Metadata, g.Ignored = test.keys, []string{"spec.addresses", catalog.InfrastructureLabels}
		status := gateway.Resolve(mesh(class, g)).Gateways[0]
		const others = "These fields have no effect: spec.addresses."
		got, hasOthers := strings.CutSuffix(status.Accepted.Message, others)
		if !status.Accepted.OK || !hasOthers || !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: Accepted says %q, want %q", name, status.Accepted.Message, test.want)
		}
	}
}
