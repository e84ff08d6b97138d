package certificate

import (
	"bytes"
	"context"
	"crypto/x509"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// runningManager is a running Manager in a synctest bubble. It requests certificates again after each rotation, as a control
// plane with connected sidecars does.
type runningManager struct {
	*Manager
	rotations, rootChanges, failures atomic.Int64
}

func startManager(t *testing.T, lifetime time.Duration, keepRequesting bool) *runningManager {
	t.Helper()
	m := &runningManager{}
	m.Manager = NewManager(Options{
		Root: newRoot(t, KeySpec{}), TrustDomain: trustDomain, Lifetime: lifetime,
		Now: time.Now, Jitter: func() float64 { return 0.5 },
		Rotated: func(sa identity.ServiceAccount) {
			m.rotations.Add(1)
			if keepRequesting {
				m.certificate(t)
			}
		},
		RootChanged: func() { m.rootChanges.Add(1) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go m.Run(ctx, func(error) { m.failures.Add(1) })
	return m
}

func (m *runningManager) certificate(t *testing.T) Certificate {
	t.Helper()
	leaf, err := m.Certificate(bookbuyer)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// advance advances the clock and waits until all goroutines are blocked.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRun_RenewsAtTwoThirdsOfLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		first := m.certificate(t)
		advance(39 * time.Minute)
		if m.rotations.Load() != 0 {
			t.Error("renewed too early")
		}
		advance(2 * time.Minute)
		second := m.certificate(t)
		if m.rotations.Load() != 1 || bytes.Equal(first.KeyPEM, second.KeyPEM) || !second.NotAfter.After(first.NotAfter) {
			t.Errorf("%d rotations after two thirds of the life, want one with a new key", m.rotations.Load())
		}
		advance(24 * time.Hour)
		if got := m.rotations.Load(); got < 35 || got > 37 {
			t.Errorf("%d rotations in a day, want one each 40 minutes", got)
		}
	})
}

func TestCertificate_ConcurrentCallersShareIssuance(t *testing.T) {
	m := NewManager(Options{Root: newRoot(t, KeySpec{}), TrustDomain: trustDomain, Lifetime: time.Hour, Now: time.Now, Jitter: func() float64 { return 0 }})
	leaves := make([]Certificate, 50)
	var wg sync.WaitGroup
	for i := range leaves {
		wg.Go(func() { leaves[i], _ = m.Certificate(bookbuyer) })
	}
	wg.Wait()
	for _, leaf := range leaves {
		if leaf.KeyPEM == nil || !bytes.Equal(leaf.KeyPEM, leaves[0].KeyPEM) {
			t.Fatal("callers got different keys")
		}
	}
}

func TestRun_RemovesUnusedIdentities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, false)
		m.certificate(t)
		advance(24 * time.Hour)
		if len(m.entries) != 0 {
			t.Error("the certificate of an unused workload is kept")
		}
		if m.rotations.Load() != 1 {
			t.Errorf("%d rotations, want only the one without a new request", m.rotations.Load())
		}
		if leaf := m.certificate(t); !leaf.NotAfter.After(time.Now()) {
			t.Error("a returning workload got an expired certificate")
		}
	})
}

func TestSetLifetime_RenewsLongerCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, 24*time.Hour, true)
		m.certificate(t)
		m.SetLifetime(2 * time.Minute)
		synctest.Wait()
		if left := time.Until(m.certificate(t).NotAfter); m.rotations.Load() != 1 || left > 2*time.Minute {
			t.Errorf("%d rotations and %s left, want a certificate of two minutes at once", m.rotations.Load(), left)
		}
		m.SetLifetime(48 * time.Hour)
		synctest.Wait()
		if m.rotations.Load() != 1 {
			t.Error("a longer lifetime renewed valid certificates")
		}
		m.SetLifetime(0)
		if m.lifetime != MinLifetime {
			t.Errorf("lifetime is %s, want the minimum, %s", m.lifetime, MinLifetime)
		}
	})
}

func TestThreat44OldRootStaysTrustedDuringChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		old, oldBundle := m.certificate(t), m.Root()
		m.SetRoot(newRoot(t, KeySpec{}))
		synctest.Wait()
		next := m.certificate(t)
		if next.Generation == old.Generation || m.rootChanges.Load() != 1 || m.rotations.Load() != 1 {
			t.Errorf("%d root changes, %d rotations, want one of each and a leaf of the new root", m.rootChanges.Load(), m.rotations.Load())
		}
		for name, leaf := range map[string]Certificate{"old": old, "new": next} {
			if err := verify(t, leaf, m.Root(), x509.ExtKeyUsageClientAuth); err != nil {
				t.Errorf("the %s certificate is rejected during the change: %v", name, err)
			}
		}
		advance(61 * time.Minute)
		if strings.Count(string(m.Root()), "BEGIN") != 1 || bytes.Equal(m.Root(), oldBundle) || m.rootChanges.Load() != 2 {
			t.Error("the old root is trusted after its last certificate expired")
		}
	})
}

func TestSetRoot_SameRootHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		m.certificate(t)
		keyPEM, _ := m.options.Root.KeyPEM()
		again, err := ParseRoot(m.Root(), keyPEM, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		m.SetRoot(again)
		synctest.Wait()
		if m.rootChanges.Load() != 0 || m.rotations.Load() != 0 {
			t.Error("the same root caused root changes or rotations")
		}
	})
}

func TestRun_KeepsCertificateAndRetriesAfterFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		first := m.certificate(t)
		good := m.options.Root
		broken := *good.issuing
		broken.NotAfter = time.Now()
		m.mu.Lock()
		m.issuer = NewIssuer(&Root{issuing: &broken, trusted: good.trusted, key: good.key}, KeySpec{}, time.Now)
		m.mu.Unlock()
		advance(41 * time.Minute)
		if m.failures.Load() == 0 || !bytes.Equal(m.certificate(t).KeyPEM, first.KeyPEM) {
			t.Fatalf("%d failures, want some, and the old certificate kept", m.failures.Load())
		}
		if m.failures.Load() > 7 {
			t.Errorf("%d failures in a minute, want a pause between them", m.failures.Load())
		}
		m.mu.Lock()
		m.issuer = NewIssuer(good, KeySpec{}, time.Now)
		m.mu.Unlock()
		advance(2 * retryDelay)
		if m.rotations.Load() != 1 {
			t.Error("not renewed after the failure was resolved")
		}
	})
}

func TestSetRoot_TrustsSecondRootBeforeItIssues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		before := m.certificate(t)
		next := newRoot(t, KeySpec{})
		keyPEM, _ := m.options.Root.KeyPEM()
		both, err := ParseRoot(append(m.Root(), next.CertPEM()...), keyPEM, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		m.SetRoot(both)
		synctest.Wait()
		if strings.Count(string(m.Root()), "BEGIN") != 2 || m.rootChanges.Load() != 1 {
			t.Error("the second root is not trusted")
		}
		if m.rotations.Load() != 0 || !bytes.Equal(m.certificate(t).KeyPEM, before.KeyPEM) {
			t.Error("certificates were renewed although their issuer is the same")
		}
	})
}

// A root that trusts the old one is part of a rotation, which withdraws the old one when nobody needs it.
func TestSetRoot_WithdrawsDeclaredRootAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		old, next := m.options.Root, newRoot(t, KeySpec{})
		m.certificate(t)
		m.SetRoot(next.Trusting(append(next.Trusted(), old.Trusted()...)))
		synctest.Wait()
		if strings.Count(string(m.Root()), "BEGIN") != 2 || m.certificate(t).Generation != next.Generation() {
			t.Error("the new root does not issue while both are trusted")
		}
		m.SetRoot(next)
		synctest.Wait()
		if got := string(m.Root()); got != string(next.CertPEM()) {
			t.Errorf("the withdrawn root is still trusted:\n%s", got)
		}
		if m.rotations.Load() != 1 {
			t.Errorf("%d rotations, want one", m.rotations.Load())
		}
	})
}
