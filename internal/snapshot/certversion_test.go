package snapshot

import (
	"testing"
	"time"
)

// TestCertificateEnd follows what is known of a sidecar's certificate: none before it answers, the old one until it has
// acknowledged the new one, and the same one after it connects again.
func TestCertificateEnd(t *testing.T) {
	b := newBench()
	b.store.MarkSynced()
	entries := twoServices()
	client, _ := pods(entries)
	b.apply(entries...)
	s := newSidecar(b, client)
	s.open(t)
	s.flush(t)
	if end := firstProxy(s).CertificateEnd; !end.IsZero() {
		t.Errorf("before the sidecar answers, its certificate ends at %s", end)
	}
	s.settle(t)
	first := b.certificates.expiry
	if end := firstProxy(s).CertificateEnd; !end.Equal(first) {
		t.Errorf("the certificate ends at %s, want %s", end, first)
	}
	b.certificates.rotate(client.Identity())
	b.store.CertificateRotated(client.Identity())
	b.run()
	s.flush(t)
	if end := firstProxy(s).CertificateEnd; !end.Equal(first) {
		t.Errorf("before the new certificate is acknowledged, it ends at %s, want %s", end, first)
	}
	s.settle(t)
	second := first.Add(time.Hour)
	if end := firstProxy(s).CertificateEnd; !end.Equal(second) {
		t.Errorf("the new certificate ends at %s, want %s", end, second)
	}
	s.close()
	s.open(t)
	s.settle(t)
	if end := firstProxy(s).CertificateEnd; !end.Equal(second) {
		t.Errorf("after a reconnection the certificate ends at %s, want %s", end, second)
	}
}
