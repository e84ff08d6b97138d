package bootstrap

import (
	"os"
	"testing"
)

// envoyBinary is the Envoy that the tests judge the bootstrap with.
func envoyBinary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ENVOY_BIN")
	if path == "" {
		t.Fatal("ENVOY_BIN is not set: these tests ask the real Envoy; set it to the path of an envoy binary")
	}
	return path
}
