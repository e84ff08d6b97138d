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

	"github.com/openservicemesh/osm-operator/internal/identity"
)

// mesh is a running Manager inside a synctest bubble whose workloads are asked for again after each rotation, as a control
// plane with connected sidecars does.
type mesh struct {
	*Manager
	rotations, rootChanges, failures atomic.Int64
}

func start(t *testing.T, lifetime time.Duration, keepAsking bool) *mesh {
	t.Helper()
	m := &mesh{}
	m.Manager = NewManager(Options{
		Root: newRoot(t, KeySpec{}), TrustDomain: trustDomain, Lifetime: lifetime,
		Now: time.Now, Jitter: func() float64 { return 0.5 },
		Rotated: func(sa identity.ServiceAccount) {
			m.rotations.Add(1)
			if keepAsking {
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

func (m *mesh) certificate(t *testing.T) Leaf {
	t.Helper()
	leaf, err := m.Certificate(bookbuyer)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// after lets time pass and everything settle.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRenewalAtTwoThirdsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, time.Hour, true)
		first := m.certificate(t)
		after(39 * time.Minute)
		if m.rotations.Load() != 0 {
			t.Error("renewed too early")
		}
		after(2 * time.Minute)
		second := m.certificate(t)
		if m.rotations.Load() != 1 || bytes.Equal(first.KeyPEM, second.KeyPEM) || !second.NotAfter.After(first.NotAfter) {
			t.Errorf("%d rotations after two thirds of the life, want one with a new key", m.rotations.Load())
		}
		after(24 * time.Hour)
		if got := m.rotations.Load(); got < 35 || got > 37 {
			t.Errorf("%d rotations in a day, want one each 40 minutes", got)
		}
	})
}

func TestConcurrentCallersShareOneIssuance(t *testing.T) {
	m := NewManager(Options{Root: newRoot(t, KeySpec{}), TrustDomain: trustDomain, Lifetime: time.Hour, Now: time.Now, Jitter: func() float64 { return 0 }})
	leaves := make([]Leaf, 50)
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

func TestUnusedIdentitiesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, time.Hour, false)
		m.certificate(t)
		after(24 * time.Hour)
		if len(m.entries) != 0 {
			t.Error("the certificate of a workload that is gone is kept")
		}
		if m.rotations.Load() != 1 {
			t.Errorf("%d rotations, want the one that nobody answered", m.rotations.Load())
		}
		if leaf := m.certificate(t); !leaf.NotAfter.After(time.Now()) {
			t.Error("a forgotten workload that is back got an expired certificate")
		}
	})
}

func TestLifetimeChangesUnderARunningMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, 24*time.Hour, true)
		m.certificate(t)
		m.SetLifetime(2 * time.Minute)
		synctest.Wait()
		if left := time.Until(m.certificate(t).NotAfter); m.rotations.Load() != 1 || left > 2*time.Minute {
			t.Errorf("%d rotations and %s left, want a certificate of two minutes at once", m.rotations.Load(), left)
		}
		m.SetLifetime(48 * time.Hour)
		synctest.Wait()
		if m.rotations.Load() != 1 {
			t.Error("a longer lifetime renewed certificates that need it not")
		}
		m.SetLifetime(0)
		if m.lifetime != MinLifetime {
			t.Errorf("lifetime is %s, want the shortest one, %s", m.lifetime, MinLifetime)
		}
	})
}

func TestThreat44NewRootOverlapsWithTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, time.Hour, true)
		old, oldBundle := m.certificate(t), m.Root()
		m.SetRoot(newRoot(t, KeySpec{}))
		synctest.Wait()
		next := m.certificate(t)
		if next.Generation == old.Generation || m.rootChanges.Load() != 1 || m.rotations.Load() != 1 {
			t.Errorf("%d root changes, %d rotations, want one of each and a leaf of the new root", m.rootChanges.Load(), m.rotations.Load())
		}
		for name, leaf := range map[string]Leaf{"old": old, "new": next} {
			if err := verify(t, leaf, m.Root(), x509.ExtKeyUsageClientAuth); err != nil {
				t.Errorf("the %s certificate is refused during the change: %v", name, err)
			}
		}
		after(61 * time.Minute)
		if strings.Count(string(m.Root()), "BEGIN") != 1 || bytes.Equal(m.Root(), oldBundle) || m.rootChanges.Load() != 2 {
			t.Error("the old root is trusted after its last certificate expired")
		}
	})
}

func TestSameRootAgainChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, time.Hour, true)
		m.certificate(t)
		keyPEM, _ := m.options.Root.KeyPEM()
		again, err := ParseRoot(m.Root(), keyPEM, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		m.SetRoot(again)
		synctest.Wait()
		if m.rootChanges.Load() != 0 || m.rotations.Load() != 0 {
			t.Error("the same root caused work")
		}
	})
}

func TestRenewalFailureKeepsTheCertificateAndTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, time.Hour, true)
		first := m.certificate(t)
		good := m.options.Root
		broken := *good.issuing
		broken.NotAfter = time.Now()
		m.mu.Lock()
		m.issuer = NewIssuer(&Root{issuing: &broken, trusted: good.trusted, key: good.key}, KeySpec{}, time.Now)
		m.mu.Unlock()
		after(41 * time.Minute)
		if m.failures.Load() == 0 || !bytes.Equal(m.certificate(t).KeyPEM, first.KeyPEM) {
			t.Fatalf("%d failures, want some, and the old certificate kept", m.failures.Load())
		}
		if m.failures.Load() > 7 {
			t.Errorf("%d failures in a minute, want a pause between them", m.failures.Load())
		}
		m.mu.Lock()
		m.issuer = NewIssuer(good, KeySpec{}, time.Now)
		m.mu.Unlock()
		after(2 * retryAfter)
		if m.rotations.Load() != 1 {
			t.Error("not renewed once it was possible again")
		}
	})
}

func TestTrustInASecondRootComesBeforeItIssues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, time.Hour, true)
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
