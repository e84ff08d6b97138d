package main

import (
	"context"
	"io"
	"sync"
)

// round has suites that run at the same time. Each lane runs its suites one after the other.
type round struct{ lanes [][]suite }

// rounds divides suites into rounds. In `make test`, a suite that mostly waits for the cluster has a lane of its own beside the suites that
// calculate. A full run has one suite at a time, because no test may fail there for lack of time.
func rounds(chosen []suite, full bool) []round {
	var list []round
	var waiting, busy []suite
	for _, s := range chosen {
		switch {
		case full || s.alone:
			list = append(list, round{[][]suite{{s}}})
		case s.waits:
			waiting = append(waiting, s)
		default:
			busy = append(busy, s)
		}
	}
	together := round{}
	for _, lane := range [][]suite{waiting, busy} {
		if len(lane) > 0 {
			together.lanes = append(together.lanes, lane)
		}
	}
	if len(together.lanes) > 0 {
		list = append(list, together)
	}
	return list
}

// runRounds runs one round after the other, and returns the outcomes of their suites. Beside the first lane, others have less of the processor.
func (r runner) runRounds(ctx context.Context, list []round, missing func(suite) error) []outcome {
	var outcomes []outcome
	for _, round := range list {
		results := make([][]outcome, len(round.lanes))
		var running sync.WaitGroup
		for i, lane := range round.lanes {
			worker := r
			worker.nice = i > 0
			running.Go(func() {
				for _, s := range lane {
					if ctx.Err() != nil {
						return
					}
					results[i] = append(results[i], worker.run(ctx, s, missing(s)))
				}
			})
		}
		running.Wait()
		for i := range results {
			// The lane that calculates has the suites that come first in the list of all.
			outcomes = append(outcomes, results[len(results)-1-i]...)
		}
	}
	return outcomes
}

// lockedWriter lets suites that run at the same time write whole lines.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(text)
}
