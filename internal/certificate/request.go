package certificate

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
)

// NewRequest generates a key and a certificate signing request for an authority, both as PEM.
func NewRequest(key KeySpec, commonName string) (request, keyPEM []byte, err error) {
	signer, err := key.generate()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName}}, signer)
	if err != nil {
		return nil, nil, fmt.Errorf("the certificate signing request of %s cannot be signed: %w", commonName, err)
	}
	if keyPEM, err = encodeKey(signer); err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), keyPEM, nil
}

// SplitChain divides the certificates of PEM texts into those of a chain and the self-signed ones, without duplicates.
func SplitChain(texts ...string) (chain, roots []byte, err error) {
	var intermediates, anchors []*x509.Certificate
	for _, text := range texts {
		certificates, err := DecodeCertificates([]byte(text))
		if err != nil {
			return nil, nil, err
		}
		for _, c := range certificates {
			if isSelfSigned(c) {
				anchors = appendDistinct(anchors, c)
			} else {
				intermediates = appendDistinct(intermediates, c)
			}
		}
	}
	return encodeCertificates(intermediates...), encodeCertificates(anchors...), nil
}

func appendDistinct(list []*x509.Certificate, c *x509.Certificate) []*x509.Certificate {
	for _, known := range list {
		if known.Equal(c) {
			return list
		}
	}
	return append(list, c)
}
