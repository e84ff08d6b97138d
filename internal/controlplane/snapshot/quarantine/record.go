package quarantine

import (
	"cmp"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// maxUnusedRejections is how many rejections may exist before those of scopes without streams are dropped.
const maxUnusedRejections = 1024

// Rejection is a policy that is quarantined for one scope because a proxy rejected a resource built from it.
type Rejection struct {
	Policy entity.Ref
	Scope  scope.Key
	// Proxy is the pod whose sidecar sent the NACK.
	Proxy entity.Name
	// Type and Resource name the rejected resource.
	Type     resourcetype.Type
	Resource string
	// Message is Envoy's error message.
	Message string
	At      time.Time
}

// policyRecord orders policies by age.
type policyRecord struct {
	ref entity.Ref
	// sequence numbers the changes since the initial sync; 0 for policies that existed then.
	sequence uint64
	created  time.Time
}

func (r policyRecord) compare(other policyRecord) int {
	return cmp.Or(cmp.Compare(r.sequence, other.sequence), r.created.Compare(other.created), r.ref.Compare(other.ref))
}

// scopeQuarantine is the state of one scope.
type scopeQuarantine struct {
	// policies is the set of rejections' keys. It is replaced, never modified: views of the catalog use it.
	policies   map[entity.Ref]struct{}
	rejections map[entity.Ref]Rejection
	// unresolved has resources that are rejected whichever policy is quarantined, with the newest policy at that time. They are
	// examined again when there is a newer policy.
	unresolved map[resourceID]policyRecord
	// pending are rejected resources, at most maxNACKs. paused is true between two examinations, and waiting while other proxies
	// may answer.
	pending         []*nack
	paused, waiting bool
	// suspects are quarantined policies that may not be the cause, in the order of their quarantine. At most one is on trial. trying is true
	// while a look at them is due.
	suspects []suspect
	trial    *trial
	trying   bool
}

type resourceID struct {
	kind resourcetype.Type
	name string
}

// RecordChange records a change that modifies, adds or removes a policy. A changed policy is released in all scopes; released
// reports whether it was quarantined. The caller rebuilds the scopes and calls Publish.
func (q *Quarantine) RecordChange(change catalog.Change) (released bool) {
	for key, s := range q.scopes {
		if s.trial != nil && s.trial.Policy == change.Ref {
			s.trial, released = nil, true
		}
		if _, quarantined := s.policies[change.Ref]; quarantined {
			q.Release(key, change.Ref)
			released = true
		}
	}
	if change.Entry == nil {
		delete(q.records, change.Ref)
		return released
	}
	record := policyRecord{ref: change.Ref, created: change.Created}
	if q.synced {
		q.sequence++
		record.sequence = q.sequence
	}
	q.records[change.Ref] = record
	return released
}

// Policies returns the policies that a scope must be built without. The caller must not modify the map.
func (q *Quarantine) Policies(key scope.Key) map[entity.Ref]struct{} {
	if s := q.scopes[key]; s != nil {
		return s.policies
	}
	return nil
}

// Add quarantines a policy. The caller rebuilds the scope.
func (q *Quarantine) Add(r Rejection) {
	s := q.scope(r.Scope)
	s.rejections[r.Policy] = r
	s.updatePolicies()
}

// Release ends the quarantine of a policy for one scope. The caller rebuilds the scope.
func (q *Quarantine) Release(key scope.Key, policy entity.Ref) {
	s := q.scope(key)
	delete(s.rejections, policy)
	s.updatePolicies()
	q.removeIfEmpty(key)
}

// CloseScope removes the pending NACKs of a scope whose last stream has ended. Its rejections stay, because the next stream would
// reject the policies again.
func (q *Quarantine) CloseScope(key scope.Key) {
	s := q.scopes[key]
	if s == nil {
		return
	}
	s.pending = nil
	if q.count() > maxUnusedRejections {
		clear(s.rejections)
		s.updatePolicies()
	}
	q.removeIfEmpty(key)
}

// DropScope forgets which resources of a closed scope are rejected for another reason than a policy.
func (q *Quarantine) DropScope(key scope.Key) {
	if s := q.scopes[key]; s != nil {
		clear(s.unresolved)
		q.removeIfEmpty(key)
	}
}

func (q *Quarantine) scope(key scope.Key) *scopeQuarantine {
	s := q.scopes[key]
	if s == nil {
		s = &scopeQuarantine{rejections: map[entity.Ref]Rejection{}, unresolved: map[resourceID]policyRecord{}}
		q.scopes[key] = s
	}
	return s
}

func (q *Quarantine) removeIfEmpty(key scope.Key) {
	if s := q.scopes[key]; s != nil && len(s.rejections)+len(s.unresolved)+len(s.pending) == 0 && !s.paused && s.trial == nil {
		delete(q.scopes, key)
	}
}

func (s *scopeQuarantine) remove(n *nack) {
	s.pending = slices.DeleteFunc(s.pending, func(other *nack) bool { return other == n })
}

func (s *scopeQuarantine) updatePolicies() {
	s.policies = make(map[entity.Ref]struct{}, len(s.rejections))
	for ref := range s.rejections {
		s.policies[ref] = struct{}{}
	}
	for _, n := range s.pending { // without others, the same policy may have another effect
		n.tried = nil
	}
}

func (q *Quarantine) count() int {
	sum := 0
	for _, s := range q.scopes {
		sum += len(s.rejections)
	}
	return sum
}

// list returns all rejections, sorted.
func (q *Quarantine) list() []Rejection {
	var all []Rejection
	for _, s := range q.scopes {
		for _, r := range s.rejections {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Rejection) int {
		return cmp.Or(a.Policy.Compare(b.Policy), a.Scope.Identity.Compare(b.Scope.Identity),
			cmp.Compare(a.Scope.Services, b.Scope.Services), a.Proxy.Compare(b.Proxy), a.At.Compare(b.At))
	})
	return all
}

// newestFirst returns the records of policies, sorted.
func (q *Quarantine) newestFirst(policies []entity.Ref) []policyRecord {
	list := make([]policyRecord, 0, len(policies))
	for _, ref := range policies {
		if record, ok := q.records[ref]; ok {
			list = append(list, record)
		}
	}
	slices.SortFunc(list, func(a, b policyRecord) int { return b.compare(a) })
	return list
}
