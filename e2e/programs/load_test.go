package programs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// operations are what the client of a program reports.
type operations struct {
	succeeded, failed int
	// gap is the longest time without a successful operation.
	gap time.Duration
	// example is the first failure.
	example string
}

// String describes the operations.
func (o operations) String() string {
	text := fmt.Sprintf("%d operations succeeded, %d failed, longest time without success %s", o.succeeded, o.failed, o.gap.Round(100*time.Millisecond))
	if o.example != "" {
		text += ", for example: " + o.example
	}
	return text
}

// operations reads the log of the client since a moment.
func (r *run) operations(t *testing.T, since time.Time) operations {
	t.Helper()
	now := time.Now()
	// The API reads whole seconds.
	text, err := cluster.Kubectl(t.Context(), "logs", "-n", r.namespace, "client", "-c", "client", "--timestamps", "--since-time", since.UTC().Format(time.RFC3339))
	lab.Must(t, err)
	return parseOperations(text, since, now)
}

// parseOperations reads lines that begin with a time, and the word "ok" or "failed".
func parseOperations(text string, since, until time.Time) operations {
	var o operations
	last := since
	for line := range strings.Lines(text) {
		stamp, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil || at.Before(since) {
			continue
		}
		switch {
		case strings.HasPrefix(rest, "ok"):
			o.succeeded++
			o.gap, last = max(o.gap, at.Sub(last)), at
		case strings.HasPrefix(rest, "failed"):
			o.failed++
			if o.example == "" {
				o.example = rest
			}
		}
	}
	o.gap = max(o.gap, until.Sub(last))
	return o
}

func TestOperationsAreCounted(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	got := parseOperations("2025-12-31T23:59:59.9Z failed before\n2026-01-01T00:00:01Z ok\n2026-01-01T00:00:02.5Z failed reset\nmore\n2026-01-01T00:00:05Z ok 7\n",
		begin, begin.Add(6*time.Second))
	if want := (operations{succeeded: 2, failed: 1, gap: 4 * time.Second, example: "failed reset"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
