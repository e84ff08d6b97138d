package snapshot

import (
	"testing"
	"time"
)

// TestProxyCertificateExpiry checks the reported expiry before the first ACK, during a rotation and after a reconnect.
func TestProxyCertificateExpiry(t *testing.T) {
	entries := twoServices()
	client, _ := podsOf(entries)
	h := newSyncedHarness(entries...)
	s := newFakeProxy(h, client)
	s.open(t)
	s.flush(t)
	if end := firstProxy(s).CertificateExpiry; !end.IsZero() {
		t.Errorf("before the first ACK the expiry is %s", end)
	}
	s.sync(t)
	first := h.certificates.expiry
	if end := firstProxy(s).CertificateExpiry; !end.Equal(first) {
		t.Errorf("expiry %s, want %s", end, first)
	}
	h.rotate(client.Identity())
	s.flush(t)
	if end := firstProxy(s).CertificateExpiry; !end.Equal(first) {
		t.Errorf("before the ACK of the new certificate the expiry is %s, want %s", end, first)
	}
	s.sync(t)
	second := first.Add(time.Hour)
	if end := firstProxy(s).CertificateExpiry; !end.Equal(second) {
		t.Errorf("expiry of the new certificate %s, want %s", end, second)
	}
	s.close()
	s.open(t)
	s.sync(t)
	if end := firstProxy(s).CertificateExpiry; !end.Equal(second) {
		t.Errorf("expiry after a reconnect %s, want %s", end, second)
	}
}
