package envoytest

import (
	"os"
	"testing"
)

// BinaryVariable is the environment variable with the path of the Envoy binary.
const BinaryVariable = "ENVOY_BIN"

// Binary is the path of the Envoy binary; without one the test fails.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(BinaryVariable)
	if path == "" {
		t.Fatalf("%s is not set: this test runs the real Envoy, set it to the path of the binary", BinaryVariable)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s does not name an Envoy binary: %v", BinaryVariable, err)
	}
	return path
}
