package status

import (
	"errors"
	"fmt"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// ErrUnknownPolicy means that a policy is not in the catalog.
var ErrUnknownPolicy = errors.New("this replica of the control plane does not know the policy")

// maxListedPods limits how many pods a status or trace names.
const maxListedPods = 20

// Policy is the status of the current version of a policy at the connected proxies.
type Policy struct {
	Policy entity.Ref
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
	Pending []entity.Name
}

// Policies records the versions of policies. It belongs to the Store's goroutine.
type Policies struct {
	known map[entity.Ref]policyVersion
	// incomplete has the policies that may have pending proxies.
	incomplete map[entity.Ref]struct{}
}

type policyVersion struct {
	generation           int64
	changedAt, completed time.Time
}

// NewPolicies returns an empty record.
func NewPolicies() *Policies {
	return &Policies{known: map[entity.Ref]policyVersion{}, incomplete: map[entity.Ref]struct{}{}}
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
func (p *Policies) SetChanged(policies []entity.Ref, now time.Time) {
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
func (p *Policies) Status(policy entity.Ref, now time.Time, count Counter) (Policy, error) {
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
	status.Pending = lists.UniqueFunc(status.Pending, entity.Name.Compare)
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

// Proxy is the status of a connected proxy.
type Proxy struct {
	Pod        entity.Name
	InstanceID entity.InstanceID
	// Revision is the MeshRevision whose injector added the sidecar; empty if unknown.
	Revision string
	Scope    scope.Key
	// ConnectedSince is when the stream began.
	ConnectedSince time.Time
	// Types has the status of each resource type of which something was sent or is pending.
	Types map[resourcetype.Type]TypeStatus
	// ScopeVersions has one version for all resources of a type in the proxy's scope, without endpoints and service certificates.
	// Equal configuration has equal versions in all replicas. An up-to-date proxy holds these versions.
	ScopeVersions map[resourcetype.Type]string
	// UsesCertificates is true if the proxy subscribes to secrets. One without TLS connections does not.
	UsesCertificates bool
	// AwaitsCertificate is true if the proxy subscribes to secrets and has never had a certificate: none was sent to it on this stream, and
	// it reported none of an earlier one.
	AwaitsCertificate bool
	// CertificateExpiry is when the acknowledged certificate expires; zero without one.
	CertificateExpiry time.Time
	// CertificateIssuer is the generation of the root that issued the acknowledged certificate; empty without one.
	CertificateIssuer string
	// CertificateTrustDomain is the trust domain of the workload in the acknowledged certificate; empty without one.
	CertificateTrustDomain string
	Software               Software
	// IsComplete is true once the proxy has had its whole configuration, on this stream or an earlier one.
	IsComplete bool
	// Destinations counts those of a proxy that loads destinations on demand; zero for others.
	Destinations Destinations
}

// Destinations are numbers of names that a proxy has asked for, or got at its start.
type Destinations struct {
	// Loaded is how many exist, and Unknown how many have a cluster without endpoints.
	Loaded, Unknown int
	// Forgotten is how many names beyond a limit have no cluster since the stream began. They get one when they come to exist.
	Forgotten int
}

// Trust is what connections between workloads accept.
type Trust struct {
	// Bundle has the trusted certificates as PEM.
	Bundle []byte
	// TrustDomains are the accepted trust domains, and that of new certificates.
	TrustDomains identity.TrustDomains
	// Since is when all scopes had both.
	Since time.Time
}

// Software describes a proxy by what it reports about itself. It is not verified, and configuration never depends on it. The epoch decides which streams
// of the same pod replace each other.
type Software struct {
	// Envoy is the release, for example 1.40.0; empty if it is not known.
	Envoy string
	// Bootstrap is the version of the bootstrap configuration; empty if it is not known.
	Bootstrap string
	// Slot is the container of the Envoy, empty if the pod has one; Epoch is how often an Envoy of the pod had taken over when it started.
	Slot  string
	Epoch uint64
	// UnservedReason is why the proxy gets no configuration; empty if it is served.
	UnservedReason string
}

// IsUpToDate reports whether the proxy is served and has acknowledged its whole configuration.
func (p Proxy) IsUpToDate() bool {
	if p.Software.UnservedReason != "" {
		return false
	}
	for _, t := range p.Types {
		if t.Rejection != "" || !t.PendingSince.IsZero() {
			return false
		}
	}
	return true
}

// TypeStatus is the status of one resource type. The counters count responses since the stream began.
type TypeStatus struct {
	Sent, Acknowledged, Rejected uint64
	// Rejection is Envoy's message about resources that it was sent and does not use; empty if it uses all of them.
	Rejection string
	// AnsweredAt is when the proxy last sent an ACK or NACK.
	AnsweredAt time.Time
	// PendingSince is the time of the oldest change that the proxy has not answered; zero if there is none.
	PendingSince time.Time
}

// IsAwaitingAnswer reports whether a response is not answered yet.
func (t TypeStatus) IsAwaitingAnswer() bool { return t.Sent > t.Acknowledged+t.Rejected }

// LimitedPolicy is a policy that is not complete in the configuration of some proxies, because of authz.MaxRoutes.
type LimitedPolicy struct {
	Policy entity.Ref
	// ServiceAccounts are the first service accounts of these proxies, sorted. It is empty for a policy that all clients share.
	ServiceAccounts []identity.ServiceAccount
	// More is the number of further service accounts.
	More int
}
