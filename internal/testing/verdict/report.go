package verdict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/authz"
)

// Report counts what was tried.
type Report struct {
	edits             int
	settling, slowest time.Duration
	lateAnswers       int
	latest            time.Duration
	outcomes          map[authz.Outcome]int
}

func (r *Report) settle(took time.Duration) {
	r.edits++
	r.settling += took
	r.slowest = max(r.slowest, took)
}

func (r *Report) late(by time.Duration) {
	r.lateAnswers++
	r.latest = max(r.latest, by)
}

// saw counts a verdict whose answer came after an edit.
func (r *Report) saw(v authz.Verdict) {
	if r.outcomes == nil {
		r.outcomes = map[authz.Outcome]int{}
	}
	for _, a := range v.Answers {
		r.outcomes[a.Outcome]++
	}
}

// Never lists the outcomes that no answer had: what was never seen was not tested.
func (r *Report) Never() []authz.Outcome {
	all := []authz.Outcome{authz.Allowed, authz.Forbidden, authz.NotFound, authz.BadRequest, authz.Unavailable, authz.Reset, authz.Refused, authz.Passed}
	return slices.DeleteFunc(all, func(o authz.Outcome) bool { return r.outcomes[o] > 0 })
}

// String is the report in a few lines.
func (r *Report) String() string {
	var outcomes []string
	for _, o := range slices.Sorted(maps.Keys(r.outcomes)) {
		outcomes = append(outcomes, fmt.Sprintf("%s %d", o, r.outcomes[o]))
	}
	return fmt.Sprintf("%d edits, settled after %s on average and %s at most; %d answers were late, by %s at most; answers: %s",
		r.edits, (r.settling / time.Duration(max(r.edits, 1))).Round(time.Millisecond), r.slowest.Round(time.Millisecond),
		r.lateAnswers, r.latest.Round(time.Millisecond), strings.Join(outcomes, ", "))
}
