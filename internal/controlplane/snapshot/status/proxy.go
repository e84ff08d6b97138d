package status

import (
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// Proxy is the status of a connected proxy.
type Proxy struct {
	Pod    catalog.Name
	PodUID string
	Scope  scope.Key
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

// Software describes a proxy by what it reports about itself. It is not verified, and configuration never depends on it.
type Software struct {
	// Envoy is the release, for example 1.40.0; empty if it is not known.
	Envoy string
	// Bootstrap is the version of the bootstrap configuration; empty if it is not known.
	Bootstrap string
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
