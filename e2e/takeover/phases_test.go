package takeover

import (
	"fmt"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

// tally counts the requests of a class of senders.
type tally struct {
	requests int
	// failed are requests without status code 200. atEnd are those of them that ended when the pod that sent them had to end.
	failed, atEnd int
	skipped       int
	outcomes      map[string]int
	failures      []failure
}

// failure is a failed request of a pod.
type failure struct {
	pod string
	report.Failure
	atEnd bool
}

// stop ends the load of a phase, logs it with what sidecars have logged about failed requests, and returns the counts of each class.
func (p *phase) stop(logs *sidecarLogs) map[string]tally {
	p.t.Helper()
	p.end()
	p.pending.Wait()
	for _, err := range p.errors {
		p.t.Logf("%s: %v", p.name, err)
	}
	all := map[string]tally{}
	for _, r := range p.reports {
		all[r.class] = all[r.class].plus(r)
	}
	for _, class := range slices.Sorted(maps.Keys(all)) {
		p.log(class, all[class], logs)
	}
	return all
}

// plus returns the sum of a tally and a report.
func (c tally) plus(r flowReport) tally {
	c.requests, c.failed, c.skipped = c.requests+r.Requests.Requests, c.failed+r.Failed(), c.skipped+r.Skipped
	c.outcomes = maps.Clone(c.outcomes)
	if c.outcomes == nil {
		c.outcomes = map[string]int{}
	}
	for outcome, n := range r.Outcomes {
		c.outcomes[outcome] += n
	}
	c.failures = slices.Clone(c.failures)
	for _, f := range r.Failures {
		atEnd := !r.pod.ended.IsZero() && !f.At.Add(f.Duration).Before(r.pod.ended)
		if atEnd {
			c.atEnd++
		}
		c.failures = append(c.failures, failure{r.pod.name, f, atEnd})
	}
	return c
}

// maxExplained is how many failures of a class are logged with what sidecars have logged.
const maxExplained = 12

func (p *phase) log(class string, c tally, logs *sidecarLogs) {
	p.t.Helper()
	text := fmt.Sprintf("%s: %s: %d of %d requests failed, %d of them when the sender itself ended; %v, %d skipped", p.name, class, c.failed, c.requests, c.atEnd, c.outcomes, c.skipped)
	slices.SortFunc(c.failures, func(a, b failure) int { return a.At.Compare(b.At) })
	for _, f := range c.failures[:min(len(c.failures), maxExplained)] {
		ending := ""
		if f.atEnd {
			ending = ", which ended,"
		}
		text += fmt.Sprintf("\n  %s %s from %s%s after %s: %.120s", f.At.UTC().Format("15:04:05.000"), f.Outcome, f.pod, ending, f.Duration.Round(1e6), f.Detail) + logs.about(f.ID)
	}
	if n := len(c.failures); n > 0 {
		text += fmt.Sprintf("\n  the last one at %s", c.failures[n-1].At.UTC().Format("15:04:05.000"))
	}
	p.t.Log(text)
	if c.requests <= c.skipped {
		p.t.Errorf("%s: %s: %d requests, and %d skipped: the load proves nothing", p.name, class, c.requests, c.skipped)
	}
}
