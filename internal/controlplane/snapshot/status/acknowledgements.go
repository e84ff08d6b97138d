package status

import (
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// Acknowledgements records the responses of one stream and their answers. It is safe for concurrent use.
type Acknowledgements struct {
	mu       sync.Mutex
	software Software
	types    [resourcetype.NumTypes]TypeStatus
	// sentCertificate and acknowledgedCertificate are the versions of the last sent and the last acknowledged certificate.
	sentCertificate, acknowledgedCertificate string
	// usesCertificates is true while the proxy subscribes to secrets, and mayHaveCertificate once a certificate was sent or reported.
	usesCertificates, mayHaveCertificate bool
	complete                             bool
}

// SetSoftware records what the proxy reports about itself.
func (a *Acknowledgements) SetSoftware(software Software) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.software = software
}

// SetComplete records that the proxy has had its whole configuration.
func (a *Acknowledgements) SetComplete() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.complete = true
}

// IsComplete reports whether the proxy has had its whole configuration once.
func (a *Acknowledgements) IsComplete() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.complete
}

// CompleteEpoch returns the epoch of a proxy that has had its whole configuration; false for others.
func (a *Acknowledgements) CompleteEpoch() (uint64, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.software.Epoch, a.complete
}

// RecordSent records a response. The version is that of the service certificate in it; empty without one.
func (a *Acknowledgements) RecordSent(t resourcetype.Type, certificateVersion string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.types[t].Sent++
	if certificateVersion != "" {
		a.sentCertificate, a.mayHaveCertificate = certificateVersion, true
	}
}

// RecordInitialCertificate records the version of a certificate from an earlier stream, unless a certificate was sent since.
func (a *Acknowledgements) RecordInitialCertificate(version string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mayHaveCertificate = a.mayHaveCertificate || version != ""
	if _, ok := resource.CertificateExpiry(version); ok && a.sentCertificate == "" {
		a.acknowledgedCertificate = version
	}
}

// SetUsesCertificates records whether the proxy subscribes to secrets. One that does not has no certificate.
func (a *Acknowledgements) SetUsesCertificates(uses bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.usesCertificates = uses
	if !uses {
		a.sentCertificate, a.acknowledgedCertificate = "", ""
	}
}

// Answer is an ACK or NACK.
type Answer struct {
	Type resourcetype.Type
	// Message is Envoy's message of a NACK; empty for an ACK.
	Message string
	// Rejection is the new TypeStatus.Rejection.
	Rejection string
}

// RecordAnswer records an ACK or NACK.
func (a *Acknowledgements) RecordAnswer(answer Answer, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	status := &a.types[answer.Type]
	status.Rejection, status.AnsweredAt = answer.Rejection, now
	if answer.Message != "" {
		status.Rejected++
		return
	}
	status.Acknowledged++
	if answer.Type == resourcetype.Secrets && a.sentCertificate != "" {
		a.acknowledgedCertificate = a.sentCertificate
	}
}

// SetPending records the time of the oldest unanswered change of each type; zero if there is none.
func (a *Acknowledgements) SetPending(since *[resourcetype.NumTypes]time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for t := range resourcetype.NumTypes {
		a.types[t].PendingSince = since[t]
	}
}

// WriteTo sets the fields of p that are recorded here.
func (a *Acknowledgements) WriteTo(p *Proxy) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p.CertificateExpiry, _ = resource.CertificateExpiry(a.acknowledgedCertificate)
	p.CertificateIssuer, p.CertificateTrustDomain = resource.CertificateGeneration(a.acknowledgedCertificate)
	p.UsesCertificates = a.usesCertificates
	p.AwaitsCertificate = a.usesCertificates && !a.mayHaveCertificate
	p.Software, p.IsComplete = a.software, a.complete
	p.Types = map[resourcetype.Type]TypeStatus{}
	for t := range resourcetype.NumTypes {
		if a.types[t] != (TypeStatus{}) {
			p.Types[t] = a.types[t]
		}
	}
}
