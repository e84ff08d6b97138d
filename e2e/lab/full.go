package lab

import "os"

// IsFull reports whether this is `make test-full`, which also runs the longest scenarios.
func IsFull() bool { return os.Getenv("OSM_TEST_FULL") == "true" }

// RequireFull skips a test unless this is `make test-full`. hack/budget.yaml lists these tests.
func RequireFull(t interface {
	Helper()
	Skip(args ...any)
},
) {
	t.Helper()
	if !IsFull() {
		t.Skip("this scenario runs in `make test-full`")
	}
}
