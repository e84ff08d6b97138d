package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/authz"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

const (
	// settleLimit is how long sidecars may take to answer everything that they are sent after an edit.
	settleLimit = time.Minute
	// staleLimit is how long an answer may still be that of the mesh before the edit once all sidecars have agreed to it: a
	// worker takes up what the main thread has agreed to, and connections drain.
	staleLimit = 3 * drain
	// quiet is how many times in a row nothing must have been sent.
	quiet = 3
)

// failer is what a step tells of failures: a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

var _ failer = (*testing.T)(nil)

// Reset makes the mesh another one and waits until all sidecars work by it.
func (n *Network) Reset(t failer, w World) {
	t.Helper()
	if problem := n.reset(w); problem != "" {
		t.Fatalf("%s\n%s", problem, w)
	}
}

func (n *Network) reset(w World) (problem string) {
	n.control.apply(changes(n.World.entries(), w.entries()))
	n.World = w
	return n.settled()
}

// Step edits the mesh while the requests are sent, and fails unless each answer fits the mesh before or after the edit, and in
// the end the one after it. What it tells of a failure is the smallest mesh in which it happens again.
func (n *Network) Step(t failer, edit []catalog.Change, requests []Request) {
	t.Helper()
	if f := n.try(edit, requests); f != nil {
		t.Fatalf("%s", n.reduced(f))
	}
}

// try makes a step.
func (n *Network) try(edit []catalog.Change, requests []Request) *failure {
	s := step{network: n, edit: edit, before: newOracle(n.World), after: newOracle(n.World.with(edit)), requests: requests}
	s.divides = !slices.ContainsFunc(edit, func(c catalog.Change) bool { return c.Ref.Kind != catalog.KindTrafficSplit })
	for _, r := range requests {
		s.old, s.new = append(s.old, s.before.expect(r)), append(s.new, s.after.expect(r))
	}
	l := n.startLoad(requests)
	l.round()
	s.applied = time.Now()
	n.control.apply(changes(s.before.world.entries(), s.after.world.entries()))
	n.World = s.after.world
	problem := n.settled()
	s.settled = time.Now()
	l.round()
	samples := l.end()
	if problem != "" {
		return s.failure(requests[0], problem)
	}
	n.Report.settle(s.settled.Sub(s.applied))
	return s.judge(samples)
}

// settled waits until every sidecar has agreed to everything, and says what is wrong when that does not come.
func (n *Network) settled() string {
	var last uint64
	still := 0
	for deadline := time.Now().Add(settleLimit); time.Now().Before(deadline); time.Sleep(interval) {
		sent, answered, rejection := n.control.progress()
		if rejection != "" {
			return rejection
		}
		if sent != last || !answered {
			last, still = sent, 0
			continue
		}
		if still++; still > quiet && !n.warming() {
			return ""
		}
	}
	return fmt.Sprintf("after %s some sidecar still waits or has not answered", settleLimit)
}

// warming says whether some sidecar still waits for a part of what it was sent.
func (n *Network) warming() bool {
	for _, pod := range n.pods {
		for _, line := range strings.Split(n.stats(pod, "warming"), "\n") {
			if _, value, ok := strings.Cut(line, ": "); ok && value != "0" {
				return true
			}
		}
	}
	return false
}

// step is an edit, and what is expected of the requests sent meanwhile.
type step struct {
	network       *Network
	edit          []catalog.Change
	before, after *oracle
	requests      []Request
	// divides is true when the edit is about TrafficSplits alone.
	divides  bool
	old, new []expectation
	// applied is just before the control plane was told, settled when all sidecars had agreed.
	applied, settled time.Time
}

func (s *step) judge(samples []sample) *failure {
	stale := map[int]bool{}
	for _, sample := range samples {
		old, next := s.old[sample.request], s.new[sample.request]
		switch {
		case sample.end.Before(s.applied):
			if !old.allows(sample.seen) {
				return s.wrong(sample, "before the edit")
			}
		case next.allows(sample.seen):
			s.network.Report.saw(next.verdict)
		case !old.allows(sample.seen) && !s.between(old, next, sample.seen) && !s.together(sample):
			return s.wrong(sample, "after the edit")
		case !sample.start.Before(s.settled):
			stale[sample.request] = true
		}
	}
	for _, i := range slices.Sorted(maps.Keys(stale)) {
		if f := s.converge(i); f != nil {
			return f
		}
	}
	return nil
}

// between says whether an observation fits the moment in which one sidecar has learned of an edit and another has not. Where the
// way of the request changes, a client may come to a server that does not know it yet and denies it, in whatever manner. Traffic
// that is only divided in another way, among servers that let the client in before and after, must not notice.
func (s *step) between(old, next expectation, seen string) bool {
	if old.way == next.way || s.divides && old.verdict.Always(authz.Allowed) && next.verdict.Always(authz.Allowed) {
		return false
	}
	return slices.Contains([]string{"403", "404", "503", closed}, seen)
}

// together says whether an observation is what a client and a server do of whom one has learned of the edit.
func (s *step) together(sample sample) bool {
	return slices.ContainsFunc(s.mixed(), func(o *oracle) bool {
		return o.expect(s.requests[sample.request]).allows(sample.seen)
	})
}

// converge asks again until the answer is that of the mesh after the edit.
func (s *step) converge(i int) *failure {
	for {
		sample := sample{request: i, start: time.Now()}
		sample.seen = s.network.ask(s.requests[i])
		sample.end = time.Now()
		late := sample.end.Sub(s.settled)
		if s.new[i].allows(sample.seen) {
			s.network.Report.late(late)
			return nil
		}
		if late > staleLimit {
			return s.wrong(sample, "long after the edit")
		}
		time.Sleep(interval)
	}
}
