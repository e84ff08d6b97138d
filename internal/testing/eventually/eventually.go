package eventually

import (
	"testing"
	"time"
)

// interval is short, because most conditions of tests hold within a few milliseconds.
const interval = 5 * time.Millisecond

// True polls condition until it returns true, and fails the test after the timeout. expectation is a sentence about the
// expected state, such as "the sidecar is ready".
func True(t testing.TB, timeout time.Duration, expectation string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not true within %s", expectation, timeout)
		}
		time.Sleep(interval)
	}
}

// Succeeds polls check until it returns nil, and fails the test with its last error after the timeout.
func Succeeds(t testing.TB, timeout time.Duration, expectation string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not true within %s: %v", expectation, timeout, err)
		}
		time.Sleep(interval)
	}
}
