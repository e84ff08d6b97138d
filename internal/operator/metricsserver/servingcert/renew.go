package servingcert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Keys of the Secret. The next certificate is not served yet: its authority is published first.
const (
	CertificateKey, privateKey         = corev1.TLSCertKey, corev1.TLSPrivateKeyKey
	nextCertificateKey, nextPrivateKey = "next.crt", "next.key"
	// AuthoritiesKey has the authorities of the earlier, the served and the next certificate.
	AuthoritiesKey = "ca.crt"
)

const (
	lifetime = 365 * 24 * time.Hour
	// renewBefore is when the next certificate is published, before the served one expires.
	renewBefore = 120 * 24 * time.Hour
	// publishFor is how long the next certificate is published before it is served. Clients read its authority meanwhile.
	publishFor = 24 * time.Hour
	// backdate is how far the clocks of clients may be behind.
	backdate = time.Hour
)

// renewed returns the data that the Secret must have at a time, and whether it differs. A certificate is never served before its authority was published
// for a day, unless there is no other that is valid.
func renewed(data map[string][]byte, host string, now time.Time) (desired map[string][]byte, changed bool, err error) {
	served, isServed := leafOf(data[CertificateKey], data[privateKey], host, now)
	next, hasNext := leafOf(data[nextCertificateKey], data[nextPrivateKey], host, now)
	out := map[string][]byte{CertificateKey: data[CertificateKey], privateKey: data[privateKey]}
	switch {
	case hasNext && (!isServed || now.Sub(next.NotBefore) >= publishFor+backdate):
		out[CertificateKey], out[privateKey] = data[nextCertificateKey], data[nextPrivateKey]
	case !isServed:
		out[CertificateKey], out[privateKey], err = create(host, now)
	case hasNext:
		out[nextCertificateKey], out[nextPrivateKey] = data[nextCertificateKey], data[nextPrivateKey]
	case served.NotAfter.Sub(now) < renewBefore:
		out[nextCertificateKey], out[nextPrivateKey], err = create(host, now)
	}
	if err != nil {
		return nil, false, err
	}
	out[AuthoritiesKey] = authorities(now, data[AuthoritiesKey], out[CertificateKey], out[nextCertificateKey])
	return out, !maps.EqualFunc(data, out, bytes.Equal), nil
}

// create returns a certificate that is its own authority, and its key.
func create(host string, now time.Time) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("create the certificate of the metrics server: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("create the certificate of the metrics server: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, nil, fmt.Errorf("create the certificate of the metrics server: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("create the certificate of the metrics server: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

// leafOf returns the certificate of a chain, and whether it can be served for a host.
func leafOf(chain, key []byte, host string, now time.Time) (*x509.Certificate, bool) {
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, false
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil || !now.Before(leaf.NotAfter) || leaf.VerifyHostname(host) != nil {
		return nil, false
	}
	return leaf, true
}

// authorities returns the certificates in some lists that are valid, each once.
func authorities(now time.Time, lists ...[]byte) []byte {
	var valid []byte
	for block, rest := pem.Decode(bytes.Join(lists, []byte("\n"))); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := x509.ParseCertificate(block.Bytes)
		if text := pem.EncodeToMemory(block); err == nil && now.Before(parsed.NotAfter) && !bytes.Contains(valid, text) {
			valid = append(valid, text...)
		}
	}
	return valid
}
