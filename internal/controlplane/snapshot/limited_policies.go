package snapshot

import (
	"maps"
	"slices"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// maxLimitedAccounts is how many service accounts are listed for a limited policy.
const maxLimitedAccounts = 3

// limitedPolicies has the policies that the route limit restricts in any scope. It is safe for concurrent use.
type limitedPolicies struct {
	mu sync.Mutex
	// scopes counts the scopes of each service account. The empty account stands for shared destinations.
	scopes map[catalog.Ref]map[identity.ServiceAccount]int
	// list is nil after a change.
	list []status.LimitedPolicy
}

// replace replaces the policies of one scope. Nearly all scopes have none.
func (l *limitedPolicies) replace(account identity.ServiceAccount, before, after []catalog.Ref) {
	if slices.Equal(before, after) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
	for _, policy := range before {
		l.count(policy, account, -1)
	}
	for _, policy := range after {
		l.count(policy, account, 1)
	}
}

func (l *limitedPolicies) count(policy catalog.Ref, account identity.ServiceAccount, delta int) {
	if l.scopes == nil {
		l.scopes = map[catalog.Ref]map[identity.ServiceAccount]int{}
	}
	accounts := l.scopes[policy]
	if accounts == nil {
		accounts = map[identity.ServiceAccount]int{}
		l.scopes[policy] = accounts
	}
	if accounts[account] += delta; accounts[account] == 0 {
		delete(accounts, account)
	}
	if len(accounts) == 0 {
		delete(l.scopes, policy)
	}
}

// current returns the policies, sorted. It only costs time after a change.
func (l *limitedPolicies) current() []status.LimitedPolicy {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list != nil {
		return l.list
	}
	l.list = make([]status.LimitedPolicy, 0, len(l.scopes))
	for policy, accounts := range l.scopes {
		l.list = append(l.list, limitedPolicy(policy, accounts))
	}
	slices.SortFunc(l.list, func(a, b status.LimitedPolicy) int { return a.Policy.Compare(b.Policy) })
	return l.list
}

func limitedPolicy(policy catalog.Ref, accounts map[identity.ServiceAccount]int) status.LimitedPolicy {
	limited := status.LimitedPolicy{Policy: policy}
	if _, shared := accounts[identity.ServiceAccount{}]; shared {
		return limited
	}
	sorted := slices.SortedFunc(maps.Keys(accounts), identity.ServiceAccount.Compare)
	first := min(len(sorted), maxLimitedAccounts)
	limited.ServiceAccounts, limited.More = slices.Clone(sorted[:first]), len(sorted)-first
	return limited
}

// LimitedPolicies returns the policies that are not complete in the configuration of some proxies, sorted. It is safe for concurrent use.
func (s *Store) LimitedPolicies() []status.LimitedPolicy { return s.limited.current() }

// recordLimited records the policies that the route limit restricts in a scope.
func (s *Store) recordLimited(n *scopeNode, policies []catalog.Ref) {
	s.limited.replace(n.key.Identity, limitedOf(n.built), policies)
}
