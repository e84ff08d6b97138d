package verdict

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

const (
	// acknowledgeLimit is how long sidecars may take to acknowledge an edit.
	acknowledgeLimit = time.Minute
	// staleLimit is how long responses may match the mesh before the edit after all sidecars have acknowledged it, while workers
	// apply the update and connections drain.
	staleLimit = 3 * DrainTime
	// quiet is the number of consecutive checks without new responses.
	quiet = 3
)

// reporter reports failures of a step: a *testing.T or a *rapid.T.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}

var _ reporter = (*testing.T)(nil)

// Reset replaces the mesh and waits until all sidecars have applied it.
func (n *Network) Reset(t reporter, w State) {
	t.Helper()
	if problem := n.reset(w); problem != "" {
		t.Fatalf("%s\n%s", problem, w)
	}
}

func (n *Network) reset(w State) (problem string) {
	earlier := newOracle(n.State)
	n.control.apply(changes(n.State.entries(), w.entries()))
	n.State = w
	problem = n.waitAcknowledged()
	n.drain(earlier, newOracle(w))
	return problem
}

// Step applies an edit under load. Each response must match the mesh before or after the edit, and finally the mesh after it. A
// failure is reported with a reduced mesh.
func (n *Network) Step(t reporter, edit []catalog.Change, requests []Request) {
	t.Helper()
	if n.failed == "" {
		if f := n.try(edit, requests); f != nil {
			n.failed = fmt.Sprintf("%s\nBefore the reduction:\n%s", n.reduced(f), f)
		}
	}
	if n.failed != "" {
		t.Fatalf("%s", n.failed)
	}
}

// try runs a step.
func (n *Network) try(edit []catalog.Change, requests []Request) *failure {
	s := step{network: n, edit: edit, before: newOracle(n.State), after: newOracle(n.State.with(edit)), requests: requests}
	s.divides = !slices.ContainsFunc(edit, func(c catalog.Change) bool { return c.Ref.Kind != entity.KindTrafficSplit })
	for _, r := range requests {
		s.old, s.new = append(s.old, s.before.expect(r)), append(s.new, s.after.expect(r))
	}
	for i, r := range requests {
		if problem := cmp.Or(s.old[i].disagreement, s.new[i].disagreement); problem != "" {
			return s.failure(r, problem)
		}
	}
	time.Sleep(time.Until(n.drained))
	l := n.startLoad(requests)
	l.round()
	s.applied = time.Now()
	n.control.apply(changes(s.before.state.entries(), s.after.state.entries()))
	n.State = s.after.state
	problem := n.waitAcknowledged()
	s.acknowledged = time.Now()
	n.drain(s.before, s.after)
	l.round()
	samples := l.end()
	if problem != "" {
		return s.failure(requests[0], problem)
	}
	n.Report.countEdit(s.acknowledged.Sub(s.applied))
	return s.check(samples)
}

// drain makes the next step wait, if authorization servers change, until the connections from before are closed. They keep their filters, so they
// ask the earlier servers, or none.
func (n *Network) drain(old, next *oracle) {
	for _, p := range pods {
		if !slices.Equal(old.authorizersOf(p.name), next.authorizersOf(p.name)) {
			n.drained = time.Now().Add(DrainTime)
		}
	}
}

// waitAcknowledged waits until all sidecars have acknowledged all resources, and describes a failure to do so.
func (n *Network) waitAcknowledged() string {
	var last uint64
	still := 0
	for deadline := time.Now().Add(acknowledgeLimit); time.Now().Before(deadline); time.Sleep(interval) {
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
	return fmt.Sprintf("after %s some sidecar still waits or has not answered", acknowledgeLimit)
}

// warming reports whether a sidecar waits for referenced resources.
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

// step is an edit with the expectations for its requests.
type step struct {
	network       *Network
	edit          []catalog.Change
	before, after *oracle
	requests      []Request
	// divides is true if the edit contains only TrafficSplits.
	divides  bool
	old, new []expectation
	// applied is the time just before the edit, acknowledged the time when all sidecars had acknowledged it.
	applied, acknowledged time.Time
}

func (s *step) check(samples []sample) *failure {
	stale := map[int]bool{}
	for _, sample := range samples {
		old, next := s.old[sample.request], s.new[sample.request]
		switch {
		case sample.end.Before(s.applied):
			if !old.allows(sample.seen) {
				return s.unexpected(sample, "before the edit")
			}
		case next.allows(sample.seen):
			s.network.Report.count(next, sample.seen)
		case !old.allows(sample.seen) && !s.fitsTransition(s.requests[sample.request], old, next, sample.seen) && !s.fitsMixed(sample):
			return s.unexpected(sample, "after the edit")
		case !sample.start.Before(s.acknowledged):
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

// fitsTransition reports whether an observation is possible while only some sidecars have applied an edit. If the route of the
// request changes, a server may deny a client that it does not know yet. A change of weights only, among servers that allow the
// client before and after, must not affect requests, and additional servers make none unavailable, unless a Retry repeats requests sooner than a new
// server learns of its Service. Until then it closes TCP connections, as it answers 404 to requests. A change of an authorization server
// aborts its decisions in progress.
func (s *step) fitsTransition(r Request, old, next expectation, seen string) bool {
	isAllowed := old.verdict.Always(authz.Allowed) && next.verdict.Always(authz.Allowed)
	switch {
	case (seen == "503" || seen == noBackendOfOSM) && changesAuthorizers(old, next):
		return true
	case old.route == next.route || s.divides && isAllowed:
		return false
	case isAllowed && addsServers(old, next):
		return seen == "403" || seen == "404" || seen == "503" && s.repeatsSoon() || seen == closed && r.Method == ""
	}
	return slices.Contains([]string{"403", "404", "503", noBackendOfOSM, closed}, seen)
}

// repeatsSoon reports whether some client has a Retry, which repeats a request after a millisecond.
func (s *step) repeatsSoon() bool {
	for ref := range s.after.state {
		if ref.Kind == retry.Kind {
			return true
		}
	}
	return false
}

// addsServers reports whether an edit only adds servers at the end of the path of a request. All servers of before remain,
// so the client's sidecar has an endpoint at any time.
func addsServers(old, next expectation) bool {
	for server := range old.servers {
		if !next.servers[server] {
			return false
		}
	}
	return old.listener == next.listener
}

// fitsMixed reports whether an observation matches an intermediate state of the edit.
func (s *step) fitsMixed(sample sample) bool {
	r := s.requests[sample.request]
	if s.fitsEarlierAuthorizers(sample) {
		return true
	}
	switch r.direction() {
	case egress:
		return s.fitsOpening(r, sample.seen)
	case ingress:
		return false // one sidecar only handles the request
	case peering:
		return slices.ContainsFunc(s.mixed(), func(o *oracle) bool { return o.expect(r).allows(sample.seen) })
	}
	if pods[r.Pod].onDemand && s.edits(entity.KindService) && newOracle(unrouted(s.after.state, s.edit)).expect(r).allows(sample.seen) {
		return true
	}
	if s.after.expectRoutedBy(s.before, r).allows(sample.seen) || s.before.expectRoutedBy(s.after, r).allows(sample.seen) {
		return true
	}
	return slices.ContainsFunc(s.mixed(), func(o *oracle) bool {
		return o.expect(r).allows(sample.seen) || o.expectRoutedBy(s.before, r).allows(sample.seen) || o.expectRoutedBy(s.after, r).allows(sample.seen)
	})
}

// fitsOpening reports whether an observation is possible while a sidecar opens all destinations outside the mesh, and gets Egresses in the same edit. The
// listener that passes connections through is ready at once, and those of Egresses when they have their routes.
func (s *step) fitsOpening(r Request, seen string) bool {
	ref := entity.Ref{Kind: entity.KindSettings}
	before, known := s.before.state[ref].(*catalog.Settings)
	after, same := s.after.state[ref].(*catalog.Settings)
	if !known || !same || before.Egress || !after.Egress || before.EgressPolicies || !after.EgressPolicies {
		return false
	}
	opened := *after
	opened.EgressPolicies = false
	return newOracle(s.after.state.with([]catalog.Change{{Ref: ref, Entry: &opened}})).expect(r).allows(seen)
}

// changesAuthorizers reports whether a server of both expectations has other authorization servers.
func changesAuthorizers(old, next expectation) bool {
	for pod, list := range old.authorizers {
		if others, both := next.authorizers[pod]; both && !slices.Equal(list, others) {
			return true
		}
	}
	return false
}

// fitsEarlierAuthorizers reports whether an observation fits a connection whose authorization servers are those of the other state. A server's sidecar
// drains its connections when they change. Until then, a request that only the new policies allow gets no decision of a new server (docs/threats.md). Earlier
// policies and new servers must not allow a request together.
func (s *step) fitsEarlierAuthorizers(sample sample) bool {
	r := s.requests[sample.request]
	if _, err := strconv.Atoi(sample.seen); err != nil && sample.seen != noBackendOfOSM {
		e := s.after.authorizedBy(s.before).expect(r)
		return s.changesAuthorizersOf(e) && e.allows(sample.seen)
	}
	if !changesAuthorizers(s.before.expect(r), s.after.expect(r)) {
		return false
	}
	return s.after.authorizedBy(s.before).expect(r).allows(sample.seen) || s.before.authorizedBy(s.after).expect(r).allows(sample.seen)
}

// changesAuthorizersOf reports whether an edit changes the authorization servers of a pod that may receive a request.
func (s *step) changesAuthorizersOf(e expectation) bool {
	for pod := range e.authorizers {
		if !slices.Equal(s.before.authorizersOf(pod), s.after.authorizersOf(pod)) {
			return true
		}
	}
	return false
}

// converge repeats a request until its result matches the mesh after the edit.
func (s *step) converge(i int) *failure {
	for {
		sample := sample{request: i, start: time.Now()}
		sample.seen = s.network.send(s.requests[i])
		sample.end = time.Now()
		late := sample.end.Sub(s.acknowledged)
		if s.new[i].allows(sample.seen) {
			s.network.Report.countLate(late)
			return nil
		}
		if late > staleLimit {
			return s.unexpected(sample, "long after the edit")
		}
		time.Sleep(interval)
	}
}

// edits reports whether the edit includes objects of a kind.
func (s *step) edits(kind entity.Kind) bool {
	return slices.ContainsFunc(s.edit, func(c catalog.Change) bool { return c.Ref.Kind == kind })
}
