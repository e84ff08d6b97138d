package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// account is a node of the graph of calls.
type account = identity.ServiceAccount

// Call lets workloads with one service account call those with another one.
type Call struct{ Source, Destination identity.ServiceAccount }

// Order is which workloads restart before which others. nil imposes no order.
type Order struct {
	// reason formats the names of the workloads that another one waits for.
	reason string
	// accounts has the service accounts of each workload, and members the workloads of each account, sorted.
	accounts map[Ref][]account
	members  map[account][]Ref
	// before has the accounts whose workloads restart before those of an account, sorted.
	before map[account][]account
	// unknown is why nobody knows who calls whom; empty if it is known.
	unknown string
}

// UnknownOrder imposes no order, and has the reason why it is unknown.
func UnknownOrder(reason error) *Order {
	return &Order{unknown: "it is not known which workloads call each other, so they restart in any order: " + reason.Error()}
}

// NewOrder lets workloads of the source of a call restart before those of the destination. Workloads that call each other in a cycle have no order. reason
// formats the names of the workloads that another one waits for.
func NewOrder(workloads []Workload, calls []Call, reason string) *Order {
	o := &Order{reason: reason, accounts: map[Ref][]account{}, members: map[account][]Ref{}, before: map[account][]account{}}
	next := map[account][]account{}
	for _, w := range workloads {
		o.accounts[w.Ref] = w.Accounts
		for i, a := range w.Accounts {
			o.members[a] = append(o.members[a], w.Ref)
			// The accounts of one workload are a cycle: it cannot restart before itself.
			next[a] = append(next[a], w.Accounts[(i+1)%len(w.Accounts)])
		}
	}
	// No cycle leads through an account without workloads.
	calls = slices.DeleteFunc(slices.Clone(calls), func(c Call) bool { return len(o.members[c.Destination]) == 0 })
	for _, c := range calls {
		next[c.Source] = append(next[c.Source], c.Destination)
	}
	cycles := components(next)
	for _, c := range calls {
		if cycles[c.Source] != cycles[c.Destination] {
			o.before[c.Destination] = append(o.before[c.Destination], c.Source)
		}
	}
	for a, before := range o.before {
		slices.SortFunc(before, account.Compare)
		o.before[a] = slices.Compact(before)
	}
	return o
}

// maxAwaited is how many workloads a reason names.
const maxAwaited = 3

// awaits returns why a workload does not restart before some of the pending ones; empty if it may restart.
func (o *Order) awaits(ref Ref, pending map[Ref]bool) string {
	if o == nil {
		return ""
	}
	awaited := o.awaited(ref, pending)
	switch {
	case len(awaited) == 0:
		return ""
	case len(awaited) > maxAwaited:
		awaited = append(awaited[:maxAwaited], "others")
	}
	return fmt.Sprintf(o.reason, strings.Join(awaited, ", "))
}

// awaited names the first pending workloads that restart before another one, one more than a reason names.
func (o *Order) awaited(ref Ref, pending map[Ref]bool) []string {
	var awaited []string
	for _, a := range o.accounts[ref] {
		for _, before := range o.before[a] {
			for _, other := range o.members[before] {
				name := other.Namespace + "/" + other.Name
				if !pending[other] || slices.Contains(awaited, name) {
					continue
				}
				if awaited = append(awaited, name); len(awaited) > maxAwaited {
					return awaited
				}
			}
		}
	}
	return awaited
}

// components numbers the strongly connected components of a graph, by the algorithm of Tarjan. Nodes of one cycle have the same number.
func components(next map[account][]account) map[account]int {
	index, lowest, component := map[account]int{}, map[account]int{}, map[account]int{}
	var stack []account
	var visit func(node account)
	visit = func(node account) {
		index[node] = len(index) + 1
		lowest[node] = index[node]
		stack = append(stack, node)
		for _, other := range next[node] {
			if index[other] == 0 {
				visit(other)
				lowest[node] = min(lowest[node], lowest[other])
			} else if _, isComplete := component[other]; !isComplete {
				lowest[node] = min(lowest[node], index[other])
			}
		}
		if lowest[node] != index[node] {
			return
		}
		for number := len(component); component[node] == 0; stack = stack[:len(stack)-1] {
			component[stack[len(stack)-1]] = number + 1
		}
	}
	for node := range next {
		if index[node] == 0 {
			visit(node)
		}
	}
	return component
}
