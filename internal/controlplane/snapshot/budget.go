package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// largeScope is from how many estimated bytes the configuration of a scope counts. Usual ones are far smaller, however many a namespace has.
	largeScope = 8 << 20
	// maxNamespaceBytes is how many bytes the counted scopes of one namespace have together, at most. All share the memory of the control plane.
	maxNamespaceBytes = 512 << 20
)

// budgets counts the large scopes of each namespace. It belongs to the Store's goroutine.
type budgets struct {
	// least and maximum are largeScope and maxNamespaceBytes, except in tests.
	least, maximum int
	// bytes are those of the large scopes of a namespace, and of each of these scopes.
	bytes map[string]int
	large map[*scopeNode]int
	// idle are the bytes of all scopes of a namespace that have no stream.
	idle map[string]int
	// refused are the scopes beyond the budget of a namespace, and retry are the namespaces with room for some of them.
	refused scopesIn[struct{}]
	retry   map[string]struct{}
}

func newBudgets() budgets {
	return budgets{
		least: largeScope, maximum: maxNamespaceBytes,
		bytes: map[string]int{}, idle: map[string]int{}, large: map[*scopeNode]int{}, refused: scopesIn[struct{}]{}, retry: map[string]struct{}{},
	}
}

// admit counts a scope with a number of bytes instead of its earlier number, and reports whether its namespace has room for it. A scope that is not
// large always has room.
func (b *budgets) admit(n *scopeNode, bytes int) bool {
	namespace := n.key.Identity.Namespace
	b.remove(n)
	if bytes < b.least || n.key.Proxy != scope.ProxySidecar {
		return true
	}
	if b.bytes[namespace]+bytes > b.maximum {
		b.refused.add(n, struct{}{})
		return false
	}
	b.bytes[namespace] += bytes
	b.large[n] = bytes
	return true
}

// remove removes a scope. If its bytes become free, refused scopes of the namespace are to be tried again.
func (b *budgets) remove(n *scopeNode) {
	b.refused.remove(n)
	bytes, counted := b.large[n]
	if !counted {
		return
	}
	delete(b.large, n)
	namespace := n.key.Identity.Namespace
	if b.bytes[namespace] -= bytes; b.bytes[namespace] == 0 {
		delete(b.bytes, namespace)
	}
	b.retry[namespace] = struct{}{}
}

// small returns the bytes of a scope that does not count as large.
func (b *budgets) small(n *scopeNode) int {
	if _, isLarge := b.large[n]; isLarge {
		return 0
	}
	return n.bytes
}

// takeRetries returns the refused scopes that are to be tried again, in order of their keys.
func (b *budgets) takeRetries() []*scopeNode {
	var list []*scopeNode
	for namespace := range b.retry {
		list = slices.AppendSeq(list, maps.Keys(b.refused[namespace]))
	}
	clear(b.retry)
	slices.SortFunc(list, func(a, b *scopeNode) int {
		return cmp.Or(a.key.Identity.Compare(b.key.Identity), cmp.Compare(fmt.Sprint(a.key), fmt.Sprint(b.key)))
	})
	return list
}

// withinBudget returns a built scope, or one that denies everything if its namespace has no room for it: then sidecars of the namespace would need
// the memory that all others need. own is the part of the scope that it shares with no other one.
func (s *Store) withinBudget(n *scopeNode, built, own *scope.Scope) *scope.Scope {
	wasRefused := s.budgets.isRefused(n)
	bytes := own.EstimatedBytes()
	n.bytes = bytes
	defer s.countRefused()
	hasRoom := s.budgets.admit(n, bytes) || s.makeRoom(n.key.Identity.Namespace) && s.budgets.admit(n, bytes)
	if hasRoom || built.AcceptAnyClient { // during teardown, nothing may be denied
		return built
	}
	if !wasRefused {
		s.config.Log.Info("Sidecars of a service account deny all requests, because the configuration of large sidecars of its namespace exceeds the budget: use fewer policies, ports or hosts",
			"identity", n.key.Identity.String(), "bytes", bytes, "maximum", s.budgets.maximum)
	}
	return built.DenyAll()
}

// countRefused updates the number of refused scopes.
func (s *Store) countRefused() {
	count := 0
	for _, nodes := range s.budgets.refused {
		count += len(nodes)
	}
	s.metrics.refused.Set(float64(count))
}

func (b *budgets) isRefused(n *scopeNode) bool { return b.refused.has(n) }

// retryRefused rebuilds refused scopes of namespaces whose other scopes have become smaller.
func (s *Store) retryRefused() {
	for _, n := range s.budgets.takeRetries() {
		s.rebuildScope(n)
	}
	clear(s.budgets.retry) // the rebuilt scopes used the room
}
