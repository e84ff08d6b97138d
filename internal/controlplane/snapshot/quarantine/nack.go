package quarantine

import (
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

const (
	// maxNACKs is how many rejected resources of a scope are recorded. Further ones quarantine nothing.
	maxNACKs = 400
	// answerTimeout is for how long the proxies of a scope may answer, before those that have answered decide.
	answerTimeout = 5 * time.Second
)

// Answers counts the connected proxies of a scope by their answer to a resource.
type Answers struct {
	Rejected, Accepted, Pending int
}

// Proxy is a proxy that sends NACKs. The Envoys of a pod differ by their epoch.
type Proxy struct {
	Pod   entity.Name
	Epoch uint64
}

// nack is a rejected resource of a scope.
type nack struct {
	RejectedResource
	// proxies are those that reject it, at least one, in order of their answers.
	proxies []Proxy
	at      time.Time
	// minority is true while most proxies accept the resource. It is then quarantined for those that reject it only.
	minority bool
	// tried has the policies, as of their last change, without which the resource does not differ. They are not tried again after a pause.
	tried map[policyRecord]struct{}
}

func (n *nack) isAbout(r RejectedResource) bool {
	return n.Type == r.Type && n.Name == r.Name && n.Hash == r.Hash
}

// recordTrial records that the resource is the same without a policy.
func (n *nack) recordTrial(policy policyRecord) {
	if n.tried == nil {
		n.tried = map[policyRecord]struct{}{}
	}
	n.tried[policy] = struct{}{}
}

// HandleNACK records a rejected resource of a scope. The NACKs of one scope are examined one after the other, because the first
// quarantined policy often resolves the others.
func (q *Quarantine) HandleNACK(key scope.Key, r RejectedResource, proxy Proxy) {
	s := q.scope(key)
	s.pending = slices.DeleteFunc(s.pending, func(n *nack) bool { return !q.config.Scopes.IsCurrent(key, n.RejectedResource) })
	i := slices.IndexFunc(s.pending, func(n *nack) bool { return n.isAbout(r) })
	switch {
	case i >= 0 && slices.Contains(s.pending[i].proxies, proxy):
	case i >= 0:
		s.pending[i].proxies = append(s.pending[i].proxies, proxy)
		s.pending[i].minority = false
	case len(s.pending) < maxNACKs:
		s.pending = append(s.pending, &nack{RejectedResource: r, proxies: []Proxy{proxy}, at: q.config.Now()})
	}
	q.examineNext(key)
}

// Reconsider decides again about the rejected resources of a scope, after its connected proxies have changed.
func (q *Quarantine) Reconsider(key scope.Key) {
	s := q.scopes[key]
	if s == nil {
		return
	}
	for _, n := range s.pending {
		n.minority = false
	}
	q.examineNext(key)
}

// examineNext examines the first resource that most proxies of a scope reject.
func (q *Quarantine) examineNext(key scope.Key) {
	s := q.scopes[key]
	if s == nil || s.paused {
		return
	}
	undecided := false
	for _, n := range slices.Clone(s.pending) {
		decided, rejected := q.decide(key, n)
		switch {
		case n.minority:
		case !q.config.Scopes.IsCurrent(key, n.RejectedResource):
			s.remove(n)
		case !decided:
			undecided = true
		case !rejected:
			n.minority = true
		default:
			q.examineInTurn(key, s, n)
			return
		}
	}
	if undecided {
		q.wait(key, s)
	}
	q.removeIfEmpty(key)
}

// examineInTurn examines a resource, unless sidecars of the namespace have used their time. A gateway is never late: all namespaces wait for it.
func (q *Quarantine) examineInTurn(key scope.Key, s *scopeQuarantine, n *nack) {
	namespace, began := key.Identity.Namespace, q.config.Now()
	isSidecar := key.Proxy == scope.ProxySidecar
	if wait := q.shares.Wait(namespace, began); wait > 0 && isSidecar {
		q.pause(key, s, wait)
		return
	}
	s.remove(n)
	retryAfter := q.examine(key, s, n)
	if retryAfter > 0 { // it was too early
		s.pending = append(s.pending, n)
	}
	if now := q.config.Now(); isSidecar {
		q.shares.Charge(namespace, now.Sub(began), now)
	}
	q.pause(key, s, max(retryAfter, examineInterval))
}

func (q *Quarantine) pause(key scope.Key, s *scopeQuarantine, pause time.Duration) {
	s.paused = true
	q.config.RunAfter(pause, func() {
		s.paused = false
		q.examineNext(key)
	})
}

// wait decides again later, while other proxies answer. An answer before ends the wait.
func (q *Quarantine) wait(key scope.Key, s *scopeQuarantine) {
	if s.waiting {
		return
	}
	s.waiting = true
	q.config.RunAfter(examineInterval, func() {
		s.waiting = false
		q.examineNext(key)
	})
}

// decide reports whether most proxies of the scope reject a resource. One compromised proxy must not take a policy from the
// others.
func (q *Quarantine) decide(key scope.Key, n *nack) (decided, rejected bool) {
	a := q.config.Scopes.Answers(key, n.proxies)
	if a.Rejected > a.Accepted+a.Pending {
		return true, true
	}
	if a.Pending > 0 && a.Accepted <= a.Rejected+a.Pending && q.config.Now().Sub(n.at) < answerTimeout {
		return false, false
	}
	return true, a.Rejected > a.Accepted
}

// RejectedResource is a resource that a client rejected when it was sent alone.
type RejectedResource struct {
	Type resourcetype.Type
	Name string
	// Message is the client's error message.
	Message string
	// Hash is that of the rejected content.
	Hash resource.Version
}

// After maxImmediateNACKs consecutive NACKs, the next part is sent after nackPause.
const (
	maxImmediateNACKs = 32
	nackPause         = time.Second
)

// Bisector finds the rejected resource in a rejected response of one type. A NACK does not reliably name it, and for some types
// the client also drops the resources after it. So the resources are sent again in ever smaller parts, until a part is accepted
// or has only one resource. A message alone never identifies a resource, because it may quote user input.
//
// The zero value is ready for use. It belongs to the stream's goroutine.
type Bisector struct {
	// inFlight has the resources of the response in flight; it shares the response's slice.
	inFlight []resource.Versioned
	// rejected has the message for each name whose last sent version was rejected.
	rejected map[string]string
	// parts are lists of names to send again, one response each. The last part is sent first.
	parts [][]string
	// message is the client's latest message about the parts.
	message string
	// consecutiveNACKs counts NACKs since the last ACK.
	consecutiveNACKs int
	pausedUntil      time.Time
}

// SetInFlight records the resources of a response that was sent.
func (b *Bisector) SetInFlight(resources []resource.Versioned) { b.inFlight = resources }

// ACK records that the response in flight was accepted.
func (b *Bisector) ACK() {
	for _, r := range b.inFlight {
		delete(b.rejected, r.Name())
	}
	b.inFlight, b.consecutiveNACKs, b.pausedUntil = nil, 0, time.Time{}
}

// NACK records that the response in flight was rejected. It returns the rejected resource if the response had only one.
func (b *Bisector) NACK(t resourcetype.Type, message string, now time.Time) *RejectedResource {
	resources := b.inFlight
	b.inFlight, b.message = nil, message
	if b.consecutiveNACKs++; b.consecutiveNACKs > maxImmediateNACKs {
		b.pausedUntil = now.Add(nackPause)
	}
	switch len(resources) {
	case 0:
		return nil
	case 1:
		r := resources[0]
		if b.rejected == nil {
			b.rejected = map[string]string{}
		}
		b.rejected[r.Name()] = message
		return &RejectedResource{Type: t, Name: r.Name(), Message: message, Hash: r.Hash()}
	}
	b.split(t, resources, message)
	return nil
}

// split adds parts for rejected resources. For clusters and listeners, Envoy names the rejected ones and keeps the others.
func (b *Bisector) split(t resourcetype.Type, resources []resource.Versioned, message string) {
	var named, all []string
	for _, r := range resources {
		all = append(all, r.Name())
		if t.IsWildcard() && strings.Contains(message, r.Name()) {
			named = append(named, r.Name())
		}
	}
	for _, name := range slices.Backward(named) {
		b.parts = append(b.parts, []string{name})
	}
	if len(named) == 0 {
		half := len(all) / 2
		b.parts = append(b.parts, all[half:], all[:half])
	}
}

// NextPart removes and returns the next part to send, or nil if there is none or the pause is not over.
func (b *Bisector) NextPart(now time.Time) []string {
	if len(b.parts) == 0 || now.Before(b.pausedUntil) {
		return nil
	}
	part := b.parts[len(b.parts)-1]
	b.parts = b.parts[:len(b.parts)-1]
	return part
}

// HasParts reports whether there are parts to send.
func (b *Bisector) HasParts() bool { return len(b.parts) > 0 }

// PausedUntil returns when the next part may be sent; zero if it may be sent at once.
func (b *Bisector) PausedUntil() time.Time { return b.pausedUntil }

// Forget removes a name that the client no longer has or subscribes to.
func (b *Bisector) Forget(name string) { delete(b.rejected, name) }

// Exclude removes resources from the parts because they are sent in another response. A part could otherwise repeat a version
// that was rejected alone in the meantime.
func (b *Bisector) Exclude(sent []resource.Versioned) {
	for i, part := range b.parts {
		b.parts[i] = slices.DeleteFunc(part, func(name string) bool {
			return slices.ContainsFunc(sent, func(r resource.Versioned) bool { return r.Name() == name })
		})
	}
}

// HasRejected reports whether the client rejected something that it was sent last.
func (b *Bisector) HasRejected() bool { return len(b.rejected) > 0 || len(b.parts) > 0 }

// Message returns the client's message about what it rejects now; empty if it rejects nothing.
func (b *Bisector) Message() string {
	if len(b.parts) > 0 {
		return b.message
	}
	first := ""
	for name := range b.rejected {
		if first == "" || name < first {
			first = name
		}
	}
	return b.rejected[first]
}
