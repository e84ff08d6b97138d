package certificate

import (
	"crypto/x509"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestControlPlaneCertificates checks that peers accept the certificate of each trust domain, from servers and from clients, and that it has no other name.
func TestControlPlaneCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		certificates := NewControlPlaneCertificates(m.Manager, time.Now)
		for _, domain := range []string{"cluster.local", "b.example"} {
			pair, err := certificates.Get(domain)
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{"ads." + domain}; !slices.Equal(pair.Leaf.DNSNames, want) {
				t.Errorf("names %v, want %v", pair.Leaf.DNSNames, want)
			}
			for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
				leaf := Certificate{ChainPEM: encodeCertificates(pair.Leaf)}
				if err := verify(t, leaf, m.Root(), usage); err != nil {
					t.Errorf("usage %d: %v", usage, err)
				}
			}
			again, err := certificates.Get(domain)
			if err != nil || again != pair {
				t.Errorf("issued again at once; error %v", err)
			}
			time.Sleep(17 * time.Hour)
			if renewed, err := certificates.Get(domain); err != nil || renewed == pair {
				t.Errorf("not renewed at two thirds of its lifetime; error %v", err)
			}
		}
	})
}
