package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// ErrNoPolicy says that no such policy is part of the mesh.
var ErrNoPolicy = errors.New("no such policy is known to this replica of the control plane")

// maxLaggards is how many of those that have not acknowledged something are named.
const maxLaggards = 20

// PolicyStatus is how far the connected sidecars are with the current version of a policy.
type PolicyStatus struct {
	Policy catalog.Ref
	// Generation is the one of the object that this replica has taken in; 0 when it is not known.
	Generation int64
	// Changed is when this replica took in the current version.
	Changed time.Time
	// Sidecars are those whose configuration depends on the policy; Acknowledged those of them that have accepted it, and
	// Rejected those that it is withheld from.
	Sidecars, Acknowledged, Rejected int
	// Settled is when all sidecars that were connected then had acknowledged or rejected the current version, to the second;
	// zero until then.
	Settled time.Time
	// Laggards are pods that have done neither, sorted, at most 20.
	Laggards []catalog.Name
}

// Policy says how far the sidecars are with a policy. The error is ErrNoPolicy, ErrStopped or ctx's.
func (s *Store) Policy(ctx context.Context, policy catalog.Ref) (PolicyStatus, error) {
	type answer struct {
		status PolicyStatus
		err    error
	}
	result := make(chan answer, 1)
	asked := s.post(func() {
		status, err := s.policyStatus(policy)
		result <- answer{status, err}
	})
	if !asked {
		return PolicyStatus{}, ErrStopped
	}
	select {
	case a := <-result:
		return a.status, a.err
	case <-ctx.Done():
		return PolicyStatus{}, ctx.Err()
	}
}

func (s *Store) policyStatus(policy catalog.Ref) (PolicyStatus, error) {
	seen, known := s.quarantine.seen[policy]
	if !known {
		return PolicyStatus{}, fmt.Errorf("%w: %s %s", ErrNoPolicy, policy.Kind, policy.Name)
	}
	status := PolicyStatus{Policy: policy, Generation: seen.generation, Changed: seen.changed}
	for n := range s.scopesThatRead(s.catalog.Questions(policy)) {
		status.Sidecars += len(n.streams)
		if _, withheld := s.quarantine.withheld(n.key)[policy]; withheld {
			status.Rejected += len(n.streams)
			continue
		}
		for stream := range n.streams {
			if stream.acknowledged(seen.changed) {
				status.Acknowledged++
			} else {
				status.Laggards = append(status.Laggards, stream.peer.Pod)
			}
		}
	}
	slices.SortFunc(status.Laggards, catalog.Name.Compare)
	if len(status.Laggards) == 0 && seen.settled.IsZero() {
		seen.settled = s.config.Now()
		s.quarantine.seen[policy] = seen
	}
	status.Settled = seen.settled
	status.Laggards = status.Laggards[:min(len(status.Laggards), maxLaggards)]
	return status, nil
}

// watchProgress looks at the policies that had laggards when it last looked.
func (s *Store) watchProgress() {
	for policy := range s.unsettled {
		if status, err := s.policyStatus(policy); err != nil || !status.Settled.IsZero() {
			delete(s.unsettled, policy)
		}
	}
}

// changed notes when policies have reached the scopes: whatever is marked at streams because of them was marked by now.
func (s *Store) changed(policies []catalog.Ref) {
	now := s.config.Now()
	for _, policy := range policies {
		if seen, ok := s.quarantine.seen[policy]; ok {
			seen.changed, seen.settled = now, time.Time{}
			s.quarantine.seen[policy] = seen
			s.unsettled[policy] = struct{}{}
		}
	}
}

// acknowledged says whether the sidecar has answered everything that was marked until a time.
func (s *Stream) acknowledged(until time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.behind.IsZero() || s.behind.After(until)
}

// fallBehind notes that the sidecar lacks something. The caller holds mu.
func (s *Stream) fallBehind(since time.Time) {
	if s.behind.IsZero() {
		s.behind = since
	}
}

// noteProgress publishes how far the sidecar is, when there is nothing to be sent at the moment.
func (s *Stream) noteProgress(q *sequencer) {
	types := q.behind(s.since)
	s.status.mu.Lock()
	for t := range numTypes {
		s.status.types[t].Behind = types[t]
	}
	s.status.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = time.Time{}
	if len(s.marks) > 0 {
		s.behind = s.marks[0].at
	}
	for _, since := range types { // without a slice of both: this runs for each response and each answer
		s.behind = earlier(s.behind, since)
	}
	s.behind = earlier(s.behind, s.all)
	s.answered()
}

// earlier is the earlier of two times, of which a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// behind says for each type since when the client lacks something of it, zero when it lacks nothing. Whoever has not asked for
// clusters and listeners yet lacks them from the start.
func (q *sequencer) behind(start time.Time) [numTypes]time.Time {
	var result [numTypes]time.Time
	for t := range numTypes {
		st := &q.types[t]
		switch {
		case st.asked && st.inflight != "":
			result[t] = st.sentSince
		case len(st.dirty) > 0 && st.asked:
			result[t] = st.since
		case t.wildcard() && !st.asked:
			result[t] = start
		}
	}
	return result
}
