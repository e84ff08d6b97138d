package certificate

import (
	"crypto/x509"
	"time"
)

// Description describes a certificate of an authority.
type Description struct {
	// Fingerprint is a short hash of the certificate, like Root.Generation.
	Fingerprint string
	Subject     string
	NotAfter    time.Time
}

// DescribeIssuer describes the issuing certificate.
func (r *Root) DescribeIssuer() Description { return describe(r.issuing) }

// DescribeTrusted describes the trusted certificates, in their order.
func (r *Root) DescribeTrusted() []Description {
	list := make([]Description, 0, len(r.trusted))
	for _, c := range r.trusted {
		list = append(list, describe(c))
	}
	return list
}

func describe(c *x509.Certificate) Description {
	return Description{Fingerprint: fingerprint(c), Subject: c.Subject.String(), NotAfter: c.NotAfter}
}
