package reservation

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func acquire(t *testing.T, path, run string) *Reservation {
	t.Helper()
	r, err := Acquire(t.Context(), path, run, "", func(holder string) { t.Errorf("%s waits for %s", run, holder) })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// One run at a time uses the cluster. Others wait, and report who has it.
func TestOthersWaitForTheCluster(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := acquire(t, path, "make test in /a")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Acquire(ctx, path, "make demo-down in /b", "", func(holder string) {
		if holder != "make test in /a" {
			t.Errorf("the holder is %q", holder)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "in use by make test in /a") {
		t.Errorf("error %v", err)
	}
	waited := make(chan string, 1)
	got := make(chan error, 1)
	go func() {
		second, err := Acquire(t.Context(), path, "make demo-down in /b", "", func(holder string) { waited <- holder })
		if err == nil {
			second.Release()
		}
		got <- err
	}()
	<-waited
	first.Release()
	if err := <-got; err != nil {
		t.Errorf("after the release: %v", err)
	}
}

// The commands that a run starts use its reservation. One that has ended counts for nothing.
func TestChildrenInheritTheReservation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first := acquire(t, path, "make test in /a")
	child, err := Acquire(t.Context(), path, "cluster up", first.ID, func(string) { t.Error("the child waits") })
	if err != nil || child.ID != first.ID {
		t.Fatalf("the child has %v, error %v", child, err)
	}
	child.Release()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Acquire(ctx, path, "make demo", "another", func(string) { cancel() }); err == nil {
		t.Error("the release of a child ends the reservation of its parent")
	}
	first.Release()
	other, err := Acquire(t.Context(), path, "make demo", first.ID, func(string) { t.Error("a released cluster is in use") })
	if err != nil || other.ID == first.ID {
		t.Errorf("an ended reservation is inherited: %v, error %v", other, err)
	}
	other.Release()
}
