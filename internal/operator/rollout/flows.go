package rollout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Flow are the requests of the sidecars of one workload and revision to one destination in the last minute.
type Flow struct {
	// Client is the workload that reports the requests, as "<namespace>/<service account>", and Revision that of its sidecars.
	Client, Revision string
	// Destination is "<namespace>/<service>", or a host outside the mesh.
	Destination string
	// Local is true for requests that the sidecars of the destination forward to the application.
	Local bool
	Requests
}

// ErrorRate is the share of failed requests over all flows, of which no workload weighs more than maxWeight.
func ErrorRate(flows []Flow) float64 { return total(weigh(flows)).ErrorRate() }

const (
	// maxWeight is the largest share of the requests that one workload contributes.
	maxWeight = 0.1
	// minCompared is the number of requests from which a rate is used for comparison.
	minCompared = 20
)

// NamespaceOf is the part of the name of a workload or a Service before the slash; empty for the name of a host.
func NamespaceOf(name string) string {
	namespace, _, found := strings.Cut(name, "/")
	if !found {
		return ""
	}
	return namespace
}

func total(flows []Flow) Requests {
	var sum Requests
	for _, f := range flows {
		sum.Issued += f.Issued
		sum.Failed += f.Failed
	}
	return sum
}

// weigh scales down the requests of the workloads with more than maxWeight of the result. A single one can then neither cause an error rate by
// its failures nor hide one by its successes. With few workloads each weighs more than that anyway, and nothing is scaled.
func weigh(flows []Flow) []Flow {
	issued := map[string]float64{}
	for _, f := range flows {
		issued[f.Client] += float64(f.Issued)
	}
	limit := weightLimit(slices.Collect(maps.Values(issued)))
	weighed := slices.Clone(flows)
	for i := range weighed {
		f := &weighed[i]
		if sum := issued[f.Client]; limit > 0 && sum > limit {
			f.Issued, f.Failed = uint64(float64(f.Issued)*limit/sum), uint64(float64(f.Failed)*limit/sum)
		}
	}
	return weighed
}

// weightLimit is the number of requests of a workload that are maxWeight of all when larger numbers are reduced to it. It is 0 if none is
// reduced.
func weightLimit(issued []float64) float64 {
	if float64(len(issued))*maxWeight <= 1 {
		return 0
	}
	slices.SortFunc(issued, func(a, b float64) int { return cmp.Compare(b, a) })
	rest := 0.0
	for _, n := range issued {
		rest += n
	}
	for reduced, n := range issued {
		limit := maxWeight * rest / (1 - maxWeight*float64(reduced))
		if n <= limit {
			return limit
		}
		rest -= n
	}
	return 0
}

// comparison compares requests with what would fail without the new version.
type comparison struct {
	flows []Flow
	// expected is the share of failed requests of a flow that is not the fault of the version.
	expected func(Flow) float64
	// known has the share of failures without the version, by the destinations for which it is known.
	known map[string]float64
	// tolerated is the increase that the Mesh tolerates.
	tolerated float64
	// evidence is the number of namespaces whose requests must show that the version works, for another to be excused.
	evidence int
}

// exceeds reports whether significantly more requests fail than expected and tolerated.
func (c comparison) exceeds() bool {
	sum, expected := total(c.flows), 0.0
	if sum.Issued == 0 {
		return false
	}
	for _, f := range c.flows {
		expected += float64(f.Issued) * c.expected(f)
	}
	return sum.exceeds(expected/float64(sum.Issued) + c.tolerated)
}

// worstNamespaces are the namespaces whose requests fail most beyond expectation: of those that sent them, and of all.
func (c comparison) worstNamespaces() []string {
	excess, sent := map[string]float64{}, map[string]float64{}
	for _, f := range c.flows {
		more := float64(f.Failed) - float64(f.Issued)*(c.expected(f)+c.tolerated)
		client := NamespaceOf(f.Client)
		excess[client] += more
		sent[client] += more
		if server := c.suspect(f); server != client {
			excess[server] += more
		}
	}
	most := func(by map[string]float64) string {
		return slices.MaxFunc(slices.Sorted(maps.Keys(by)), func(a, b string) int { return cmp.Compare(by[a], by[b]) })
	}
	return []string{most(sent), most(excess)}
}

// suspect is the namespace of the destination of a flow, unless the destination is known not to fail by itself.
func (c comparison) suspect(f Flow) string {
	if _, isKnown := c.known[f.Destination]; isKnown {
		return NamespaceOf(f.Client)
	}
	return NamespaceOf(f.Destination)
}

// without leaves out the requests that a namespace sent, and those that it may have failed.
func (c comparison) without(namespace string) comparison {
	c.flows = slices.DeleteFunc(slices.Clone(c.flows), func(f Flow) bool {
		return NamespaceOf(f.Client) == namespace || c.suspect(f) == namespace
	})
	return c
}

// isExcused reports whether a namespace alone fails: requests that it has no part in show that the version works. If no other namespace
// has any, the version is yet to be seen elsewhere. If others have only requests to that namespace, the version may be what fails them.
func (c comparison) isExcused(namespace string) bool {
	rest := c.without(namespace)
	isAlone := countNamespaces(c.flows, namespace) == 0
	return !rest.exceeds() && (isAlone || countNamespaces(rest.flows, namespace) >= c.evidence)
}

// Comparison is the outcome of the comparison of a version's requests with those without it.
type Comparison struct {
	// Requests are those that exceed, or all of them.
	Requests Requests
	// Expected is the share that is expected to fail.
	Expected float64
	// Compared is false if there is nothing to compare with.
	Compared bool
	// Exceeds is true if significantly more requests fail.
	Exceeds bool
	// Excused is the namespace whose failures do not count alone; empty without one.
	Excused string
	// Example names the flow with most failures.
	Example string
}

// CompareFlows compares requests that the desired revision concerns with those that it does not, in the same minute, and both with the error rate
// before the upgrade. baseline is nil without one. Without anything to compare with, nothing exceeds.
//
// The desired revision concerns a request if its sidecars report it, or serve its destination. A destination that it does not serve, and
// that fails for old sidecars as well, fails by itself.
//
// A namespace does not decide alone if there are at least otherNamespaces others: its owner can fail requests, or report failures. See
// isExcused.
func CompareFlows(flows []Flow, desired string, baseline *float64, tolerated float64) Comparison {
	flows = weigh(flows)
	touched, others := splitFlows(flows, desired)
	reference := referenceOf(others, baseline)
	result := Comparison{Requests: total(flows), Compared: reference.exists}
	if baseline != nil {
		result.Expected = *baseline
	}
	tests := []comparison{{touched, reference.rate, reference.destinations, tolerated, 1}}
	if baseline != nil {
		tests = append(tests, comparison{others, func(Flow) float64 { return *baseline }, nil, tolerated, otherNamespaces})
	}
	for _, test := range tests {
		if !result.Compared || !test.exceeds() {
			continue
		}
		worst := test.worstNamespaces()
		if i := slices.IndexFunc(worst, func(n string) bool { return countNamespaces(flows, n) >= otherNamespaces && test.isExcused(n) }); i >= 0 {
			result.Excused = worst[i]
			continue
		}
		result.Exceeds, result.Requests, result.Example, result.Excused = true, total(test.flows), example(test.flows), ""
		return result
	}
	return result
}

// splitFlows separates the requests that a revision concerns from all others.
func splitFlows(flows []Flow, revision string) (touched, others []Flow) {
	served := map[string]bool{}
	for _, f := range flows {
		// Only its own sidecars forward the requests to a Service.
		if f.Local && f.Revision == revision && NamespaceOf(f.Client) == NamespaceOf(f.Destination) {
			served[f.Destination] = true
		}
	}
	for _, f := range flows {
		if f.Revision == revision || served[f.Destination] {
			touched = append(touched, f)
		} else {
			others = append(others, f)
		}
	}
	return touched, others
}

// reference is what fails without the new version.
type reference struct {
	// overall is the error rate before, or that of other requests now. It exists if there are any.
	overall float64
	exists  bool
	// destinations are the error rates of destinations.
	destinations map[string]float64
}

// referenceOf computes the reference from requests that the new version does not concern. For a destination it is the lowest error rate of all
// client namespaces, so that forged reports of one do not hide failures.
func referenceOf(flows []Flow, baseline *float64) reference {
	r := reference{destinations: map[string]float64{}}
	if sum := total(flows); sum.Issued >= minCompared {
		r.overall, r.exists = sum.ErrorRate(), true
	}
	if baseline != nil {
		r.overall, r.exists = *baseline, true
	}
	type key struct{ destination, namespace string }
	sums := map[key]Requests{}
	for _, f := range flows {
		k := key{f.Destination, NamespaceOf(f.Client)}
		sums[k] = Requests{sums[k].Issued + f.Issued, sums[k].Failed + f.Failed}
	}
	for k, sum := range sums {
		if sum.Issued < minCompared {
			continue
		}
		if lowest, found := r.destinations[k.destination]; !found || sum.ErrorRate() < lowest {
			r.destinations[k.destination] = sum.ErrorRate()
		}
	}
	return r
}

// rate is the share of the requests of a flow that is expected to fail.
func (r reference) rate(f Flow) float64 { return max(r.overall, r.destinations[f.Destination]) }

// countNamespaces counts the namespaces of clients other than the given one.
func countNamespaces(flows []Flow, except string) int {
	namespaces := map[string]bool{}
	for _, f := range flows {
		if namespace := NamespaceOf(f.Client); namespace != except && f.Issued > 0 {
			namespaces[namespace] = true
		}
	}
	return len(namespaces)
}

// example names the flow with most failures.
func example(flows []Flow) string {
	most := slices.MaxFunc(flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(a.Failed, b.Failed), cmp.Compare(b.Client, a.Client), cmp.Compare(b.Destination, a.Destination))
	})
	if most.Client == "" {
		return ""
	}
	return fmt.Sprintf("most of them from %s to %s", most.Client, most.Destination)
}
