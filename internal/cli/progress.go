package cli

import (
	"fmt"
	"io"
	"time"
)

// progress tells how far something is that takes longer than a moment: a line whenever there is something new to say.
type progress struct {
	out   io.Writer
	now   func() time.Time
	began time.Time
	last  string
}

func (a *app) progress() *progress { return &progress{out: a.Err, now: a.now, began: a.now()} }

// patienceOfUsers is how long nobody asks what is going on.
const patienceOfUsers = 2 * time.Second

// say tells something, unless it has been said last or it is too early for anything to be said.
func (p *progress) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	elapsed := p.now().Sub(p.began)
	if text == p.last || elapsed < patienceOfUsers {
		return
	}
	p.last = text
	fmt.Fprintf(p.out, "%6s  %s\n", elapsed.Round(time.Second), text)
}

// elapsed is how long it has taken so far, for people.
func (p *progress) elapsed() string {
	return p.now().Sub(p.began).Round(100 * time.Millisecond).String()
}
