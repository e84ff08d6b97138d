package envoytest

import (
	"os"
	"testing"
)

// Environment variables with the paths of Envoy binaries: the minor version of the sidecars, and the one before.
const (
	BinaryVariable  = "ENVOY_BIN"
	EarlierVariable = "EARLIER_ENVOY_BIN"
)

// Binary returns the path of the Envoy binary. It fails the test without one.
func Binary(t testing.TB) string {
	t.Helper()
	return binary(t, BinaryVariable)
}

// Binaries returns the paths of the Envoy binaries of all supported minor versions, by environment variable. It fails the test
// if one is missing.
func Binaries(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{BinaryVariable: Binary(t), EarlierVariable: binary(t, EarlierVariable)}
}

func binary(t testing.TB, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: this test runs the real Envoy, set it to the path of the binary", variable)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s does not name an Envoy binary: %v", variable, err)
	}
	return path
}
