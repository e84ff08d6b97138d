package cli

import "testing"

// TestGatewaysHaveNoRevision shows gateways, which the operator updates with the control plane.
func TestGatewaysHaveNoRevision(t *testing.T) {
	for account, want := range map[string]string{"osm-ingress-gateway": "-", "osm-egress-gateway": "-", "web": "Unknown"} {
		var p connected
		p.ServiceAccount = account
		if got := revisionText(p); got != want {
			t.Errorf("%s has the revision %q, want %q", account, got, want)
		}
	}
}
