package legacyosm

import (
	"os/exec"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
)

// TestSidecarConfig_IsValid validates the configuration with the real Envoy.
func TestSidecarConfig_IsValid(t *testing.T) {
	root, err := NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := root.Issue("bookstore.books.cluster.local", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config := Sidecar{
		Host: "bookstore.books.svc.cluster.local", Client: "bookbuyer.books.cluster.local", Port: 14001, Application: 14080,
		Certificate: certificate, Key: key, Authority: root.CertPEM(),
	}.Config()
	output, err := exec.CommandContext(t.Context(), envoytest.Binary(t), "--mode", "validate", "--config-yaml", config).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
}
