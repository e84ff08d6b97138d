package envoy

import "testing"

func TestIsOutside(t *testing.T) {
	for cluster, want := range map[string]bool{
		"example.com:80": true, "10.1.2.3:443": true, "2001:db8::1:443": true, "egress-http.0ab1ad92e03d8114f99570f0312530de.api.example.com:8080": true, originalPortName(8080): true,
		PassthroughCluster: false, metricsCluster: false, "shop/cart|8080": false, "shop/cart|8080|local": false, ConfiguredAuthorizationCluster: false,
		"ratelimit|limits.example.com:8081": false, "extension|shop/collector": false,
	} {
		if got := IsOutside(cluster); got != want {
			t.Errorf("%s is outside: %v, want %v", cluster, got, want)
		}
	}
}
