package progress

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// Reporter writes progress lines. It may be used from several goroutines.
type Reporter struct {
	mu    sync.Mutex
	out   io.Writer
	now   func() time.Time
	start time.Time
	// every is how often a step that is still running says so.
	every time.Duration
}

// New returns a Reporter that counts from now. Long steps report every 30 seconds that they are still running.
func New(out io.Writer, now func() time.Time) *Reporter {
	return &Reporter{out: out, now: now, start: now(), every: 30 * time.Second}
}

// Say writes one line.
func (r *Reporter) Say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "%6.1fs  %s\n", r.now().Sub(r.start).Seconds(), fmt.Sprintf(format, args...))
}

// Run announces the step, runs it, and writes how long it took or that it failed. The error of the step is returned as it is.
func (r *Reporter) Run(ctx context.Context, step string, f func(context.Context) error) error {
	begin := r.now()
	r.Say("%s ...", step)
	done := make(chan struct{})
	defer close(done)
	go r.remind(done, step, begin)
	err := f(ctx)
	took := r.now().Sub(begin).Seconds()
	if err != nil {
		r.Say("%s: failed after %.1f s", step, took)
		return err
	}
	r.Say("%s: done in %.1f s", step, took)
	return nil
}

func (r *Reporter) remind(done <-chan struct{}, step string, begin time.Time) {
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			r.Say("%s: still running after %.0f s", step, r.now().Sub(begin).Seconds())
		}
	}
}
