// Package full distinguishes `make test-full` from `make test`.
//
// The environment flows in; skips of the longest tests flow out. Every test that is skipped is listed in hack/budget.yaml.
package full

import "os"

// Is reports whether this is `make test-full`, which also runs the longest tests.
func Is() bool { return os.Getenv("OSM_TEST_FULL") == "true" }

// Require skips a test unless this is `make test-full`.
func Require(t interface {
	Helper()
	Skip(args ...any)
},
) {
	t.Helper()
	if !Is() {
		t.Skip("this test runs in `make test-full`")
	}
}
