package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells how far something is that takes longer than a moment: a line whenever there is something new to say, and the same
// line again while nothing happens.
type progress struct {
	out   io.Writer
	now   func() time.Time
	began time.Time

	mu sync.Mutex
	// last is what has been said last, and doing what is going on.
	last, doing string
	// spoke is when something was said last; zero for never.
	spoke time.Time
	// quiet keeps it from speaking by itself, while people read or are asked.
	quiet bool
}

func (a *app) progress() *progress {
	if a.shown == nil {
		a.shown = &progress{out: a.Err, now: a.now, began: a.now(), doing: "waiting for the cluster"}
	}
	return a.shown
}

const (
	// patienceOfUsers is how long nobody asks what is going on.
	patienceOfUsers = 2 * time.Second
	// reassurance is how long nobody thinks that it has stopped.
	reassurance = 5 * time.Second
)

// say tells something, unless it has been said last or it is too early for anything to be said.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doing = fmt.Sprintf(format, args...)
	if p.doing != p.last {
		p.speak()
	}
}

// speak says what is going on, when it is not too early. The caller holds mu.
func (p *progress) speak() {
	now := p.now()
	elapsed := now.Sub(p.began)
	if elapsed < patienceOfUsers {
		return
	}
	p.last, p.spoke = p.doing, now
	fmt.Fprintf(p.out, "%6s  %s\n", elapsed.Round(time.Second), p.doing)
}

// hush keeps it from speaking by itself, or lets it again.
func (p *progress) hush(quiet bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = quiet
}

// reassure says again what is going on, when nothing has been said for a while.
func (p *progress) reassure() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.quiet && (p.spoke.IsZero() || p.now().Sub(p.spoke) >= reassurance) {
		p.speak()
	}
}

// live reassures until stop is called.
func (p *progress) live() (stop func()) {
	done := make(chan struct{})
	var speaking sync.WaitGroup
	speaking.Go(func() {
		ticker := time.NewTicker(patienceOfUsers / 2)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				p.reassure()
			}
		}
	})
	return func() {
		close(done)
		speaking.Wait()
	}
}

// elapsed is how long it has taken so far, for people.
func (p *progress) elapsed() string {
	return p.now().Sub(p.began).Round(100 * time.Millisecond).String()
}
