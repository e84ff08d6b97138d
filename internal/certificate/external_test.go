package certificate

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

var corporate = ExternalIssuer{Name: "corporate", Kind: "ClusterIssuer", Group: "cert-manager.io"}

// fakeIssuer signs requests with a root.
type fakeIssuer struct {
	root *Root
	// edit changes a certificate before it is signed.
	edit func(*x509.Certificate)

	mu  sync.Mutex
	err error
	// deny is the namespace whose workloads are denied, and reject the one whose requests fail.
	deny, reject string
	seen         []ExternalIssuer
	running, top int
}

// Request implements Requester.
func (f *fakeIssuer) Request(issuer ExternalIssuer, workload identity.ServiceAccount, csr []byte, lifetime time.Duration) ([]byte, error) {
	f.mu.Lock()
	f.seen = append(f.seen, issuer)
	f.running++
	f.top = max(f.top, f.running)
	err := f.err
	if workload.Namespace == f.deny {
		err = fmt.Errorf("%s: %w", workload, &DeniedError{"no policy allows it"})
	}
	if workload.Namespace == f.reject {
		err = errors.New("the role does not allow this name")
	}
	f.mu.Unlock()
	time.Sleep(time.Second)
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(csr)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: request.Subject, DNSNames: request.DNSNames, URIs: request.URIs,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(lifetime), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	if f.edit != nil {
		f.edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, f.root.issuing, request.PublicKey, f.root.key)
	if err != nil {
		return nil, err
	}
	return append(encodeCertificates(&x509.Certificate{Raw: der}), f.root.CertPEM()...), nil
}

func (f *fakeIssuer) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeIssuer) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen)
}

// externalManager returns a manager of an authority whose workload certificates an issuer issues.
func externalManager(t *testing.T, f *fakeIssuer) *Manager {
	t.Helper()
	f.root = newRoot(t, KeySpec{})
	return NewManager(Options{
		Root: f.root.IssuedBy(&corporate), TrustDomain: trustDomain, Lifetime: time.Hour, Now: time.Now, Jitter: func() float64 { return 0.5 }, Requester: f,
	})
}

func TestExternalIssuerIsKept(t *testing.T) {
	content, err := newRoot(t, KeySpec{}).IssuedBy(&corporate).Encode()
	if err != nil {
		t.Fatal(err)
	}
	root, err := Decode(content)
	if err != nil || root.ExternalIssuer() == nil || *root.ExternalIssuer() != corporate {
		t.Errorf("got %+v, %v", root.ExternalIssuer(), err)
	}
	for _, damaged := range []string{"{", "{}"} {
		content[ExternalIssuerKey] = []byte(damaged)
		if _, err := Decode(content); err == nil || !strings.Contains(err.Error(), ExternalIssuerKey) {
			t.Errorf("%s: %v", damaged, err)
		}
	}
}

func TestWorkloadCertificateIsRequested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		m := externalManager(t, f)
		leaf, err := m.Certificate(bookbuyer)
		if err != nil {
			t.Fatal(err)
		}
		if got := parse(t, leaf.ChainPEM).DNSNames; !slices.Equal(got, []string{bookbuyer.Principal(trustDomain)}) || leaf.Generation != m.Generation() || f.seen[0] != corporate {
			t.Errorf("names %v, generation %s, requested of %+v", got, leaf.Generation, f.seen)
		}
		if err := verify(t, leaf, m.Root(), x509.ExtKeyUsageServerAuth); err != nil {
			t.Error(err)
		}
		if strings.Count(string(leaf.ChainPEM), "BEGIN") != 1 {
			t.Error("the chain has the root, which peers have")
		}
		// The authority itself issues for servers.
		if _, err := m.Server([]string{"ads.cluster.local"}, time.Hour); err != nil || f.requests() != 1 {
			t.Errorf("%d requests, %v", f.requests(), err)
		}
	})
}

// A certificate that peers would reject, or that proves more than was requested, is not used.
func TestUnusableIssuedCertificate(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*fakeIssuer)
		want string
	}{
		"another name":  {func(f *fakeIssuer) { f.edit = func(c *x509.Certificate) { c.DNSNames = []string{"other"} } }, "has the names"},
		"one more name": {func(f *fakeIssuer) { f.edit = func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "other") } }, "has the names"},
		"no SPIFFE ID":  {func(f *fakeIssuer) { f.edit = func(c *x509.Certificate) { c.URIs = nil } }, "has the names"},
		"an authority":  {func(f *fakeIssuer) { f.edit = func(c *x509.Certificate) { c.IsCA = true } }, "certificate authority"},
		"not for clients": {func(f *fakeIssuer) {
			f.edit = func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
		}, "usage"},
		"a root of tomorrow": {func(f *fakeIssuer) { f.root, _ = NewRoot(KeySpec{}, time.Now()) }, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeIssuer{}
				m := externalManager(t, f)
				test.edit(f)
				if _, err := m.Certificate(bookbuyer); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("the error is %v, want %q", err, test.want)
				}
			})
		})
	}
}

// runManager runs a Manager until stop is called, which waits for its end.
func runManager(t *testing.T, m *Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		m.Run(ctx, func(error) {})
		close(done)
	}()
	return func() {
		cancel()
		<-done
	}
}

// While the issuer is away, the present certificates are served, few requests are made, and the failure is reported. When it is back, all are renewed.
func TestThreat45ExternalIssuerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		m := externalManager(t, f)
		defer runManager(t, m)()
		const all = 100
		account := func(i int) identity.ServiceAccount {
			return identity.ServiceAccount{Namespace: "shop", Name: fmt.Sprint(i)}
		}
		use := func() {
			for i := range all {
				if leaf, err := m.Certificate(account(i)); err != nil || !leaf.NotAfter.After(time.Now()) {
					t.Fatalf("%v: %v, until %s", account(i), err, leaf.NotAfter)
				}
			}
		}
		var first sync.WaitGroup
		for i := range all {
			first.Go(func() { _, _ = m.Certificate(account(i)) })
		}
		first.Wait()
		use()
		f.mu.Lock()
		f.top = 0
		f.mu.Unlock()
		f.fail(errors.New("sealed"))
		time.Sleep(50 * time.Minute)
		use()
		away := f.requests() - all
		if failure := m.Failure(); failure == nil || !strings.Contains(failure.Err.Error(), "sealed") || time.Since(failure.Since) < 5*time.Minute {
			t.Errorf("the failure is %+v", failure)
		}
		if away > 10*60/10*requestBatch {
			t.Errorf("%d requests in 10 minutes while the issuer is away", away)
		}
		f.fail(nil)
		time.Sleep(2 * time.Minute)
		use()
		if m.Failure() != nil {
			t.Errorf("the failure is still %+v", m.Failure())
		}
		for i := range all {
			if leaf, _ := m.Certificate(account(i)); time.Until(leaf.NotAfter) < 50*time.Minute {
				t.Errorf("%v is not renewed: until %s", account(i), leaf.NotAfter)
			}
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.top > requestBatch {
			t.Errorf("%d simultaneous renewals, want at most %d", f.top, requestBatch)
		}
	})
}

func TestSetRoot_AnotherWorkloadIssuerRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := startManager(t, time.Hour, true)
		root := newRoot(t, KeySpec{})
		m.SetRoot(root)
		synctest.Wait()
		m.certificate(t)
		before := m.rotations.Load()
		f := &fakeIssuer{root: root}
		m.options.Requester = f
		m.SetRoot(root.IssuedBy(&corporate))
		time.Sleep(time.Minute)
		if m.rotations.Load() != before+1 || f.requests() != 1 {
			t.Errorf("%d renewals, %d requests, want one", m.rotations.Load()-before, f.requests())
		}
	})
}

// One workload that is denied is reported although others get certificates, until it is gone.
func TestFailureOfOneWorkload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		m := externalManager(t, f)
		f.fail(errors.New("denied"))
		for range 2 {
			if _, err := m.Certificate(identity.ServiceAccount{Namespace: "shop", Name: "web"}); err == nil {
				t.Error("a certificate was issued")
			}
		}
		f.fail(nil)
		if _, err := m.Certificate(bookbuyer); err != nil {
			t.Fatal(err)
		}
		if failure := m.Failure(); failure == nil || time.Since(failure.Since) < 2*time.Second {
			t.Errorf("the failure is %+v", failure)
		}
		time.Sleep(forgetFailure + time.Minute)
		if m.Failure() != nil {
			t.Error("the failure of a workload that is gone is reported")
		}
	})
}

// Denied workloads come first in every round. The others are renewed all the same.
func TestDeniedWorkloadsDoNotDelayOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeIssuer{}
		m := externalManager(t, f)
		defer runManager(t, m)()
		var all []identity.ServiceAccount
		for i := range 2 * requestBatch {
			all = append(all, identity.ServiceAccount{Namespace: "denied", Name: fmt.Sprint(i)}, identity.ServiceAccount{Namespace: "shop", Name: fmt.Sprint(i)})
		}
		use := func() {
			var group sync.WaitGroup
			for _, sa := range all {
				group.Go(func() { _, _ = m.Certificate(sa) })
			}
			group.Wait()
		}
		use()
		f.mu.Lock()
		f.deny = "denied"
		f.mu.Unlock()
		use()
		time.Sleep(50 * time.Minute)
		for _, sa := range all {
			leaf, err := m.Certificate(sa)
			if err != nil {
				t.Fatal(err)
			}
			if renewed := time.Until(leaf.NotAfter) > 30*time.Minute; renewed != (sa.Namespace == "shop") {
				t.Errorf("the certificate of %s is valid for %s", sa, time.Until(leaf.NotAfter))
			}
		}
		if failure := m.Failure(); failure == nil || !strings.Contains(failure.Err.Error(), "no policy allows it") {
			t.Errorf("the failure is %+v", failure)
		}
	})
}
