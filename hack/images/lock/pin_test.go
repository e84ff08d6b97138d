package lock

import (
	"strings"
	"testing"
)

func TestPinAddsDigests(t *testing.T) {
	digest := "sha256:" + strings.Repeat("01", 32)
	images := Images{"init": {Reference: "docker.io/openservicemesh/init:v1.2.3", Digest: digest}}
	pinned, err := images.Pin([]byte("image: openservicemesh/init:v1.2.3\nother: docker.io/grafana/grafana:13.1.0\n"))
	if want := "image: openservicemesh/init:v1.2.3@" + digest + "\nother: docker.io/grafana/grafana:13.1.0\n"; err != nil || string(pinned) != want {
		t.Errorf("%s (%v), want %s", pinned, err, want)
	}
	for _, reference := range []string{"openservicemesh/envoy:v1.2.3", "openservicemesh/init:v1.2.4"} {
		if _, err := images.Pin([]byte("image: " + reference)); err == nil || !strings.Contains(err.Error(), reference) {
			t.Errorf("%s: the error is %v", reference, err)
		}
	}
}
