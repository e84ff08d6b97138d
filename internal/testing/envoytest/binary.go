package envoytest

import (
	"os"
	"testing"
)

// The environment variables with the paths of Envoy binaries: of the minor version that sidecars run, and of the one before it.
const (
	BinaryVariable  = "ENVOY_BIN"
	EarlierVariable = "EARLIER_ENVOY_BIN"
)

// Binary is the path of the Envoy binary; without one the test fails.
func Binary(t testing.TB) string {
	t.Helper()
	return binary(t, BinaryVariable)
}

// Binaries are the paths of the Envoy binaries of all minor versions that configurations are made for, by the variables' names. The
// test fails when one is missing.
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
