package snapshot

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Policy returns the status of a policy. The error is status.ErrUnknownPolicy, ErrStopped or that of ctx.
func (s *Store) Policy(ctx context.Context, policy entity.Ref) (status.Policy, error) {
	return ask(ctx, s, func() (status.Policy, error) { return s.policies.Status(policy, s.config.Now(), s.countProxies) })
}

// countProxies counts the proxies of the scopes that depend on a policy. Those of one pod count each: connections of both are under the policy.
func (s *Store) countProxies(p *status.Policy) {
	for n := range s.scopesDependingOn(s.catalog.PolicyDeps(p.Policy)) {
		p.Proxies += len(n.streams)
		if _, quarantined := s.quarantine.Policies(n.key)[p.Policy]; quarantined {
			p.Rejected += len(n.streams)
			continue
		}
		for stream := range n.streams {
			if stream.delta.HasAcknowledged(p.ChangedAt) {
				p.Acknowledged++
			} else {
				p.Pending = append(p.Pending, stream.peer.Pod)
			}
		}
	}
}

// recordPolicyChanges records the changes of policies before they are applied. It returns the changed policies, and whether one
// of them was quarantined.
func (s *Store) recordPolicyChanges(changes []catalog.Change) (changed []entity.Ref, released bool) {
	for _, change := range changes {
		if change.Ref.Kind == entity.KindBackendAuthorities && s.catalog.Differs(change) {
			released = s.recordAuthorities(change.Ref.Name) || released
		}
		if !change.Ref.Kind.IsPolicy() {
			continue
		}
		if !s.catalog.Differs(change) {
			s.policies.RecordGeneration(change)
			continue
		}
		released = s.quarantine.RecordChange(change) || released
		s.policies.RecordChange(change)
		if change.Entry != nil {
			changed = append(changed, change.Ref)
		}
	}
	return changed, released
}

// recordAuthorities records that a ConfigMap changes, and with it the policies that refer to it. It returns whether one of them was quarantined.
func (s *Store) recordAuthorities(name entity.Name) (released bool) {
	for _, policy := range s.catalog.View().BackendTLSPolicies() {
		if policy.Name.Namespace == name.Namespace && slices.Contains(policy.Authorities, name.Name) {
			released = s.quarantine.RecordChange(catalog.Set(policy)) || released
		}
	}
	return released
}

// Rejections returns the quarantined policies, sorted.
func (s *Store) Rejections() []quarantine.Rejection { return s.quarantine.Rejections() }

// OnRejections sets a function that is called on the Store's goroutine when Rejections has changed. It must be set before Run and
// must not block.
func (s *Store) OnRejections(f func()) { s.quarantine.OnChange(f) }

// quarantineScopes implements quarantine.Scopes.
type quarantineScopes struct{ store *Store }

// IsCurrent implements quarantine.Scopes.
func (q quarantineScopes) IsCurrent(key scope.Key, r quarantine.RejectedResource) bool {
	n := q.store.scopes[key]
	if n == nil {
		return false
	}
	c := n.own.contents[r.Type][r.Name]
	if c == nil && n.shared != nil {
		c = n.shared.contents[r.Type][r.Name]
	}
	return c != nil && c.Hash() == r.Hash
}

// Answers implements quarantine.Scopes.
//
// A pod has one answer, that of the Envoy that serves its connections: an Envoy that starts must not take a policy from the one that accepts it, and a pod
// must not outvote others by opening streams.
func (q quarantineScopes) Answers(key scope.Key, rejecting []quarantine.Proxy) (a quarantine.Answers) {
	n := q.store.scopes[key]
	if n == nil {
		return a
	}
	now := q.store.config.Now()
	for stream := range n.streams {
		switch {
		case !q.store.isServing(stream):
		case slices.Contains(rejecting, stream.proxy()):
			a.Rejected++
		case stream.delta.HasAcknowledged(now):
			a.Accepted++
		default:
			a.Pending++
		}
	}
	return a
}

// Policies implements quarantine.Scopes.
func (q quarantineScopes) Policies(key scope.Key) []entity.Ref {
	s, n := q.store, q.store.scopes[key]
	policies := s.catalog.Policies(s.scopeIndex.Dependencies[n])
	if n.shared == nil {
		return policies
	}
	policies = append(policies, s.policiesOf(n.shared.of)...)
	return lists.UniqueFunc(policies, entity.Ref.Compare)
}

// HashWithout implements quarantine.Scopes.
func (q quarantineScopes) HashWithout(key scope.Key, policies map[entity.Ref]struct{}, t resourcetype.Type, name string) (resource.Version, bool) {
	return q.store.hashWithout(q.store.scopes[key], policies, t, name)
}

// Rebuild implements quarantine.Scopes.
func (q quarantineScopes) Rebuild(key scope.Key) { q.store.rebuildScope(q.store.scopes[key]) }

// maxLimitedAccounts is how many service accounts are listed for a limited policy.
const maxLimitedAccounts = 3

// limitedPolicies has the policies that the route limit restricts in any scope. It is safe for concurrent use.
type limitedPolicies struct {
	mu sync.Mutex
	// scopes counts the scopes of each service account. The empty account stands for shared destinations.
	scopes map[entity.Ref]map[identity.ServiceAccount]int
	// list is nil after a change.
	list []status.LimitedPolicy
}

// replace replaces the policies of one scope. Nearly all scopes have none.
func (l *limitedPolicies) replace(account identity.ServiceAccount, before, after []entity.Ref) {
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

func (l *limitedPolicies) count(policy entity.Ref, account identity.ServiceAccount, delta int) {
	if l.scopes == nil {
		l.scopes = map[entity.Ref]map[identity.ServiceAccount]int{}
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

func limitedPolicy(policy entity.Ref, accounts map[identity.ServiceAccount]int) status.LimitedPolicy {
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
func (s *Store) recordLimited(n *scopeNode, policies []entity.Ref) {
	s.limited.replace(n.key.Identity, limitedOf(n.built), policies)
}
