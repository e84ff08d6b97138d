package certificates

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// noon is the time of all tests.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

const host = "osm-injector.osm-system.svc"

// newRoot makes a root at noon.
func newRoot(t *testing.T) *certificate.Root {
	t.Helper()
	root, err := certificate.NewRoot(certificate.KeySpec{}, noon())
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// served is a Secret with a certificate that a root issued at noon.
func served(t *testing.T, root *certificate.Root) *corev1.Secret {
	t.Helper()
	leaf, err := certificate.NewIssuer(root, certificate.KeySpec{}, noon).Server([]string{host}, servingLifetime)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{Data: map[string][]byte{
		corev1.TLSCertKey: leaf.ChainPEM, corev1.TLSPrivateKeyKey: leaf.KeyPEM, names.CABundleCert: root.CertPEM(),
	}}
}

func TestServingCertificateIsReplacedInTime(t *testing.T) {
	root := newRoot(t)
	secret := served(t, root)
	day := 24 * time.Hour
	end, err := verifyServing(secret, root, host, noon().Add(59*day))
	if err != nil || !end.Equal(noon().Add(servingLifetime)) {
		t.Errorf("after 59 days: ends %s, %v", end, err)
	}
	if _, err := verifyServing(secret, root, host, noon().Add(61*day)); err == nil || !strings.Contains(err.Error(), "it ends at") {
		t.Errorf("after 61 of 90 days the certificate is kept: %v", err)
	}
}

func TestServingCertificateIsReplacedWhenItDoesNotServe(t *testing.T) {
	root, other := newRoot(t), newRoot(t)
	mixed := served(t, other)
	mixed.Data[names.CABundleCert] = root.CertPEM()
	damaged := served(t, root)
	damaged.Data[corev1.TLSPrivateKeyKey] = []byte("damaged")
	for name, test := range map[string]struct {
		secret *corev1.Secret
		host   string
	}{
		"another host":          {served(t, root), "osm-validator.osm-system.svc"},
		"another root":          {mixed, host},
		"damaged key":           {damaged, host},
		"nothing in the object": {&corev1.Secret{}, host},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := verifyServing(test.secret, root, test.host, noon()); err == nil {
				t.Error("the certificate is kept")
			}
		})
	}
}

func TestTrustDuringAChangeOfRoots(t *testing.T) {
	old, next := newRoot(t), newRoot(t)
	both := next.Merge(served(t, old).Data[names.CABundleCert])
	if string(both) != string(next.CertPEM())+string(old.CertPEM()) {
		t.Error("the old root is not trusted together with the new one")
	}
	renewed := served(t, next)
	renewed.Data[names.CABundleCert] = both
	if got := servingTrust(renewed, next, noon()); string(got) != string(both) {
		t.Error("the old root is withdrawn while pods may serve its certificate")
	}
	if got := servingTrust(renewed, next, noon().Add(time.Second)); string(got) != string(next.CertPEM()) {
		t.Error("the old root is trusted when no pod serves its certificate")
	}
	damaged := served(t, old)
	damaged.Data[names.CABundleCert] = []byte("no certificate")
	if string(next.Merge(damaged.Data[names.CABundleCert])) != string(next.CertPEM()) {
		t.Error("what is no certificate is put into the trust")
	}
}

// While two roots are trusted, the certificate is one of the root that issues.
func TestServingCertificateFollowsTheIssuer(t *testing.T) {
	old, next := newRoot(t), newRoot(t)
	trusted := append(old.Trusted(), next.Trusted()...)
	if _, err := verifyServing(served(t, old), old.Trusting(trusted), host, noon()); err != nil {
		t.Errorf("before the switch the certificate is replaced: %v", err)
	}
	if _, err := verifyServing(served(t, old), next.Trusting(trusted), host, noon()); err == nil {
		t.Error("after the switch the certificate is kept")
	}
}

// A certificate ends with its issuer at the latest. Replacing it before the issuer is replaced gains nothing, and would never end.
func TestServingCertificateIsKeptAsLongAsItsIssuer(t *testing.T) {
	day := 24 * time.Hour
	root, err := certificate.NewRoot(certificate.KeySpec{}, noon().Add(-(3650-20)*day))
	if err != nil {
		t.Fatal(err)
	}
	secret := served(t, root)
	end, err := verifyServing(secret, root, host, noon().Add(day))
	if err != nil || !end.Equal(root.NotAfter()) {
		t.Errorf("20 days before its issuer ends, a certificate until %s is replaced: %v", end, err)
	}
	if after := renewalDelay(end, root, noon()); after != 0 {
		t.Errorf("it is due for renewal after %s", after)
	}
	long := newRoot(t)
	if after := renewalDelay(noon().Add(servingLifetime), long, noon()); after != 60*day {
		t.Errorf("a certificate of a long-lived issuer is due after %s, want 60 days", after)
	}
}
