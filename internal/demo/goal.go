package demo

import (
	"log/slog"
	"strconv"
	"sync"
)

// Log lines that the test runners of the Open Service Mesh demo search for.
const (
	lineSucceeded = "MAESTRO! THIS TEST SUCCEEDED!"
	lineFailed    = "MAESTRO! THIS TEST FAILED!"
)

// progress compares a client's outcomes with its goal. It is safe for concurrent use.
type progress struct {
	goal Goal
	log  *slog.Logger

	mu       sync.Mutex
	requests int
	success  int
	decided  bool
}

// add counts one outcome, logs the result of the test once, and reports whether the client continues.
func (p *progress) add(outcome string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	if p.goal.met(outcome) {
		p.success++
	}
	over := p.goal.MaxRequests > 0 && p.requests >= p.goal.MaxRequests
	if !p.decided {
		p.decide(over)
	}
	return !over
}

func (p *progress) decide(over bool) {
	switch {
	case p.success >= p.goal.MinSuccess:
		p.decided = true
		p.log.Info(lineSucceeded, "requests", p.requests, "expected", p.goal.Expected, "successes", p.success)
	case over:
		p.decided = true
		p.log.Info(lineFailed, "requests", p.requests, "expected", p.goal.Expected, "successes", p.success)
	}
}

// met reports whether an outcome is the expected one; "0" expects any failure without a status code.
func (g Goal) met(outcome string) bool {
	if g.Expected != "0" {
		return outcome == g.Expected
	}
	_, err := strconv.Atoi(outcome)
	return err != nil
}
