package progress

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

func TestRunReportsDurationAndFailure(t *testing.T) {
	clock := time.Unix(0, 0)
	var out bytes.Buffer
	r := New(&out, func() time.Time { return clock })
	if err := r.Run(context.Background(), "build", func(context.Context) error {
		clock = clock.Add(1500 * time.Millisecond)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := errors.New("no")
	if err := r.Run(context.Background(), "start", func(context.Context) error { return want }); !errors.Is(err, want) {
		t.Fatalf("Run returned %v, want the step's own error", err)
	}
	lines := "   0.0s  build ...\n   1.5s  build: done in 1.5 s\n   1.5s  start ...\n   1.5s  start: failed after 0.0 s\n"
	if out.String() != lines {
		t.Errorf("lines:\n%swant:\n%s", out.String(), lines)
	}
}
