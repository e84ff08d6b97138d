package catalog

import "testing"

// TestIsLocalHost checks hosts that mean another destination in the pod of the egress gateway than in that of the client.
func TestIsLocalHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "a.localhost": true, "127.0.0.1": true, "::1": true, "0.0.0.0": true, "::": true, "::ffff:0.0.0.0": true, "::ffff:127.0.0.1": true, "169.254.169.254": true, "fe80::1": true, "224.0.0.1": true,
		"a.example.com": false, "localhost.example.com": false, "mylocalhost": false, "192.0.2.1": false, "2001:db8::1": false,
	} {
		if got := IsLocalHost(host); got != want {
			t.Errorf("%s is local: %t, want %t", host, got, want)
		}
	}
}
