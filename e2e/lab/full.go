package lab

import "github.com/openservicemesh/osm-operator/internal/testing/full"

// IsFull reports whether this is `make test-full`, which also runs the longest scenarios.
func IsFull() bool { return full.Is() }

// RequireFull skips a test unless this is `make test-full`. hack/budget.yaml lists these tests.
func RequireFull(t interface {
	Helper()
	Skip(args ...any)
},
) {
	t.Helper()
	full.Require(t)
}
