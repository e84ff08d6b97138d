package lab

import (
	"context"
	"time"
)

// Test is what the functions of this file need of a *testing.T.
type Test interface {
	Helper()
	Context() context.Context
	Fatal(args ...any)
}

// Must ends a test that has an error.
func Must(t Test, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Eventually waits like Until, and ends the test if that fails.
func Eventually(t Test, limit time.Duration, what string, check func(context.Context) (done bool, observed string, err error)) {
	t.Helper()
	Must(t, Until(t.Context(), limit, what, check))
}
