package progress

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Reporter writes progress lines. It is safe for concurrent use.
type Reporter struct {
	mu    sync.Mutex
	out   io.Writer
	now   func() time.Time
	start time.Time
	// reminderInterval is the interval of reminders about a running step.
	reminderInterval time.Duration
}

// New returns a Reporter that counts seconds from now and reminds of long steps every 30 seconds.
func New(out io.Writer, now func() time.Time) *Reporter {
	return &Reporter{out: out, now: now, start: now(), reminderInterval: 30 * time.Second}
}

// Printf writes one line with the seconds since the start.
func (r *Reporter) Printf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "%6.1fs  %s\n", r.now().Sub(r.start).Seconds(), fmt.Sprintf(format, args...))
}

// Run prints the step, runs it, and prints its duration and whether it failed. It returns the error of the step.
func (r *Reporter) Run(ctx context.Context, step string, f func(context.Context) error) error {
	begin := r.now()
	r.Printf("%s ...", step)
	done := make(chan struct{})
	defer close(done)
	go r.remind(done, step, begin)
	err := f(ctx)
	took := r.now().Sub(begin).Seconds()
	if err != nil {
		r.Printf("%s: failed after %.1f s", step, took)
		return err
	}
	r.Printf("%s: done in %.1f s", step, took)
	return nil
}

func (r *Reporter) remind(done <-chan struct{}, step string, begin time.Time) {
	tick := time.NewTicker(r.reminderInterval)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			r.Printf("%s: still running after %.0f s", step, r.now().Sub(begin).Seconds())
		}
	}
}
