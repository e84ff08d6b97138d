package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
)

// Report counts the results of edits and requests.
type Report struct {
	edits             int
	settling, slowest time.Duration
	lateAnswers       int
	latest            time.Duration
	outcomes          map[direction]map[authz.Outcome]int
	// refused counts responses of authorization servers.
	refused int
	// matched counts responses of splits by request, opened those of permissive destinations.
	matched, opened int
}

func (r *Report) countEdit(took time.Duration) {
	r.edits++
	r.settling += took
	r.slowest = max(r.slowest, took)
}

func (r *Report) countLate(by time.Duration) {
	r.lateAnswers++
	r.latest = max(r.latest, by)
}

// count counts the expected outcomes of a response after an edit.
func (r *Report) count(e expectation, seen string) {
	if isRefusal(seen) {
		r.refused++
	}
	if r.outcomes == nil {
		r.outcomes = map[direction]map[authz.Outcome]int{"": {}, egress: {}, ingress: {}}
	}
	for _, a := range e.verdict.Answers {
		r.outcomes[e.direction][a.Outcome]++
		if a.Match != "" {
			r.matched++
		}
		if a.Permissive {
			r.opened++
		}
	}
}

// possible are the outcomes that must occur. A refused call to a server outside the mesh is rare, and the same as one to a Service: the sidecar
// has no destination at all.
var possible = map[direction][]authz.Outcome{
	"":      {authz.Allowed, authz.Forbidden, authz.NotFound, authz.BadRequest, authz.Unavailable, authz.Reset, authz.Refused, authz.PassedThrough},
	egress:  {authz.Allowed, authz.NotFound, authz.BadRequest, authz.Reset, authz.PassedThrough},
	ingress: {authz.Allowed, authz.NotFound, authz.BadRequest, authz.Reset},
}

// Unobserved returns the outcomes and reasons without any response, which were therefore not tested.
func (r *Report) Unobserved() []string {
	var never []string
	for _, direction := range slices.Sorted(maps.Keys(possible)) {
		for _, o := range possible[direction] {
			if r.outcomes[direction][o] == 0 {
				never = append(never, strings.TrimSpace(string(direction)+" "+string(o)))
			}
		}
	}
	if r.refused == 0 {
		never = append(never, "denied by an authorization server")
	}
	if r.matched == 0 {
		never = append(never, "split by request")
	}
	if r.opened == 0 {
		never = append(never, "allowed without a policy")
	}
	return never
}

// String summarizes the report.
func (r *Report) String() string {
	return fmt.Sprintf("%d edits, acknowledged after %s on average and %s at most; %d answers were late, by %s at most; %d were split by request, %d allowed without a policy, %d denied by authorization servers; answers: %s; to outside: %s; from outside: %s",
		r.edits, (r.settling / time.Duration(max(r.edits, 1))).Round(time.Millisecond), r.slowest.Round(time.Millisecond),
		r.lateAnswers, r.latest.Round(time.Millisecond), r.matched, r.opened, r.refused, counted(r.outcomes[""]), counted(r.outcomes[egress]), counted(r.outcomes[ingress]))
}

// counted returns the outcomes with their numbers.
func counted(outcomes map[authz.Outcome]int) string {
	var list []string
	for _, o := range slices.Sorted(maps.Keys(outcomes)) {
		list = append(list, fmt.Sprintf("%s %d", o, outcomes[o]))
	}
	return strings.Join(list, ", ")
}
