package certificate

import (
	"crypto/tls"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ControlPlaneCertificates are the certificates of the control plane for connections with those of peers, one for each trust domain of this mesh. They are
// renewed like a ServerCertificate. It is safe for concurrent use.
type ControlPlaneCertificates struct {
	manager *Manager
	now     func() time.Time

	mu       sync.Mutex
	byDomain map[string]*ServerCertificate
}

// NewControlPlaneCertificates returns certificates of the current root. The first use issues them.
func NewControlPlaneCertificates(manager *Manager, now func() time.Time) *ControlPlaneCertificates {
	return &ControlPlaneCertificates{manager: manager, now: now, byDomain: map[string]*ServerCertificate{}}
}

// Get returns the certificate with the name of the control plane in a trust domain, which must be one that the mesh has had.
func (c *ControlPlaneCertificates) Get(trustDomain string) (*tls.Certificate, error) {
	c.mu.Lock()
	certificate := c.byDomain[trustDomain]
	if certificate == nil {
		certificate = NewServerCertificate(controlPlaneIssuer{c.manager}, c.now, names.ADSCommonName(trustDomain))
		c.byDomain[trustDomain] = certificate
	}
	c.mu.Unlock()
	return certificate.Get(nil)
}

// controlPlaneIssuer issues certificates that clients can use too.
type controlPlaneIssuer struct{ manager *Manager }

// Server implements ServerIssuer.
func (i controlPlaneIssuer) Server(dnsNames []string, lifetime time.Duration) (Certificate, error) {
	return i.manager.current().ControlPlane(dnsNames[0], lifetime)
}

// Generation implements ServerIssuer.
func (i controlPlaneIssuer) Generation() string { return i.manager.Generation() }
