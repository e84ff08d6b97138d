package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress reports the progress of a long operation. It prints each new message once, and repeats the last message while nothing
// changes.
type progress struct {
	out   io.Writer
	now   func() time.Time
	began time.Time

	mu sync.Mutex
	// last is the printed message, doing the current one.
	last, doing string
	// printed is the time of the last print, or zero.
	printed time.Time
	// quiet suppresses repeated messages, for example during a prompt.
	quiet bool
}

func (a *app) progress() *progress {
	if a.shown == nil {
		a.shown = &progress{out: a.Err, now: a.now, began: a.now(), doing: "waiting for the cluster"}
	}
	return a.shown
}

const (
	// initialDelay is the time before the first message.
	initialDelay = 2 * time.Second
	// repeatInterval is the interval at which the last message is repeated.
	repeatInterval = 5 * time.Second
)

// report sets the current message. It prints the message if it is new and the initial delay is over.
func (p *progress) report(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = fmt.Sprintf(format, args...)
	if p.doing != p.last {
		p.print()
	}
}

// print prints the current message after the initial delay. The caller holds mu.
func (p *progress) print() {
	now := p.now()
	elapsed := now.Sub(p.began)
	if elapsed < initialDelay {
		return
	}
	p.last, p.printed = p.doing, now
	fmt.Fprintf(p.out, "%6s  %s\n", elapsed.Round(time.Second), p.doing)
}

// setQuiet sets quiet.
func (p *progress) setQuiet(quiet bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = quiet
}

// repeat repeats the current message if the repeat interval is over.
func (p *progress) repeat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.quiet && (p.printed.IsZero() || p.now().Sub(p.printed) >= repeatInterval) {
		p.print()
	}
}

// live repeats messages until stop is called.
func (p *progress) live() (stop func()) {
	done := make(chan struct{})
	var speaking sync.WaitGroup
	speaking.Go(func() {
		ticker := time.NewTicker(initialDelay / 2)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				p.repeat()
			}
		}
	})
	return func() {
		close(done)
		speaking.Wait()
	}
}

// elapsed returns the time since the start, rounded for display.
func (p *progress) elapsed() string {
	return p.now().Sub(p.began).Round(100 * time.Millisecond).String()
}
