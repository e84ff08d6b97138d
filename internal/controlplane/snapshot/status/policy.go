package status

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// ErrUnknownPolicy means that a policy is not in the catalog.
var ErrUnknownPolicy = errors.New("this replica of the control plane does not know the policy")

// maxListedPods limits how many pods a status or trace names.
const maxListedPods = 20

// Policy is the status of the current version of a policy at the connected proxies.
type Policy struct {
	Policy catalog.Ref
	// Generation is that of the object; 0 if it is not known.
	Generation int64
	// ChangedAt is when the current version reached the scopes.
	ChangedAt time.Time
	// Proxies have configuration that depends on the policy. Each is acknowledged, rejected (the policy is quarantined for its
	// scope) or pending.
	Proxies, Acknowledged, Rejected int
	// CompletedAt is when no proxy was pending for the first time; zero until then. Its resolution is one second.
	CompletedAt time.Time
	// Pending lists the pods of pending proxies, sorted, at most 20.
	Pending []catalog.Name
}

// Policies records the versions of policies. It belongs to the Store's goroutine.
type Policies struct {
	known map[catalog.Ref]policyVersion
	// incomplete has the policies that may have pending proxies.
	incomplete map[catalog.Ref]struct{}
}

type policyVersion struct {
	generation           int64
	changedAt, completed time.Time
}

// NewPolicies returns an empty record.
func NewPolicies() *Policies {
	return &Policies{known: map[catalog.Ref]policyVersion{}, incomplete: map[catalog.Ref]struct{}{}}
}

// RecordChange records a change that modifies, adds or removes a policy. SetChanged must follow when it has reached the scopes.
func (p *Policies) RecordChange(change catalog.Change) {
	if change.Entry == nil {
		delete(p.known, change.Ref)
		return
	}
	p.known[change.Ref] = policyVersion{generation: change.Generation}
}

// RecordGeneration records a new generation that does not modify the policy.
func (p *Policies) RecordGeneration(change catalog.Change) {
	if version, ok := p.known[change.Ref]; ok && change.Entry != nil && change.Generation != 0 {
		version.generation = change.Generation
		p.known[change.Ref] = version
	}
}

// SetChanged records when changes of policies have reached the scopes: the streams were notified of them.
func (p *Policies) SetChanged(policies []catalog.Ref, now time.Time) {
	for _, policy := range policies {
		if version, ok := p.known[policy]; ok {
			version.changedAt = now
			p.known[policy] = version
			p.incomplete[policy] = struct{}{}
		}
	}
}

// Counter counts the proxies of a policy. It sets Proxies, Acknowledged, Rejected and Pending, of which ChangedAt is set already.
type Counter func(status *Policy)

// Status returns the status of a policy. The error is ErrUnknownPolicy.
func (p *Policies) Status(policy catalog.Ref, now time.Time, count Counter) (Policy, error) {
	version, known := p.known[policy]
	if !known {
		return Policy{}, fmt.Errorf("%w: %s %s", ErrUnknownPolicy, policy.Kind, policy.Name)
	}
	status := Policy{Policy: policy, Generation: version.generation, ChangedAt: version.changedAt}
	count(&status)
	if len(status.Pending) == 0 && version.completed.IsZero() {
		version.completed = now
		p.known[policy] = version
	}
	status.CompletedAt = version.completed
	slices.SortFunc(status.Pending, catalog.Name.Compare)
	status.Pending = status.Pending[:min(len(status.Pending), maxListedPods)]
	return status, nil
}

// UpdateCompleted sets CompletedAt of the policies that have no pending proxies any more.
func (p *Policies) UpdateCompleted(now time.Time, count Counter) {
	for policy := range p.incomplete {
		if status, err := p.Status(policy, now, count); err != nil || !status.CompletedAt.IsZero() {
			delete(p.incomplete, policy)
		}
	}
}
