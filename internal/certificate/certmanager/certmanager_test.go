package certmanager

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

func TestCertificateIsAnIntermediateAuthority(t *testing.T) {
	for algorithm, want := range map[certificate.Algorithm]cmapi.PrivateKeyAlgorithm{
		certificate.ECDSA: cmapi.ECDSAKeyAlgorithm, certificate.RSA: cmapi.RSAKeyAlgorithm,
	} {
		content, err := Certificate(Request{
			Mesh: "osm", Namespace: "osm-system", Name: "ca", Issuer: cmmeta.IssuerReference{Name: "corp", Kind: "ClusterIssuer"},
			Key: certificate.KeySpec{Algorithm: algorithm, Bits: 3072}, Labels: map[string]string{"mesh": "osm"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var got cmapi.Certificate
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content.Object, &got); err != nil {
			t.Fatal(err)
		}
		spec := got.Spec
		if !spec.IsCA || spec.SecretName != "ca" || spec.IssuerRef.Name != "corp" || spec.SecretTemplate.Labels["mesh"] != "osm" {
			t.Errorf("the Certificate is %+v", spec)
		}
		if spec.PrivateKey.Algorithm != want || spec.PrivateKey.Size != 3072 {
			t.Errorf("the key is %+v, want %s", spec.PrivateKey, want)
		}
	}
}

func TestProblem(t *testing.T) {
	live, err := Certificate(Request{Mesh: "osm", Namespace: "osm-system", Name: "ca"})
	if err != nil {
		t.Fatal(err)
	}
	if got := Problem(live); got != "cert-manager has not processed it yet" {
		t.Errorf("without a status the problem is %q", got)
	}
	condition := map[string]any{"type": "Ready", "status": "False", "message": "issuer not found"}
	live.Object["status"] = map[string]any{"conditions": []any{condition}}
	if got := Problem(live); got != "issuer not found" {
		t.Errorf("the problem is %q", got)
	}
	condition["status"], condition["observedGeneration"] = "True", int64(1)
	live.SetGeneration(2)
	if got := Problem(live); got != "cert-manager has not processed it yet" {
		t.Errorf("the problem of a Certificate that was issued for another spec is %q", got)
	}
	live.SetGeneration(1)
	if got := Problem(live); got != "" {
		t.Errorf("the problem of an issued Certificate is %q", got)
	}
}

func TestAuthority(t *testing.T) {
	corporate, other := pki.NewCorporate(t), pki.NewCorporate(t)
	secret := &corev1.Secret{Data: corporate.Intermediate(t)}
	root, err := Authority(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if string(root.CertPEM()) != string(corporate.CertPEM()) {
		t.Error("the trust is not the root of the issuer")
	}
	for name, test := range map[string]struct {
		edit func(map[string][]byte)
		want string
	}{
		"no root":      {func(d map[string][]byte) { delete(d, "ca.crt") }, "use an issuer that publishes its root"},
		"another root": {func(d map[string][]byte) { d["ca.crt"] = other.CertPEM() }, "leads to none of the trusted certificates"},
		"another key": {func(d map[string][]byte) {
			d[corev1.TLSPrivateKeyKey] = corporate.Intermediate(t)[corev1.TLSPrivateKeyKey]
		}, "does not belong"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := &corev1.Secret{Data: corporate.Intermediate(t)}
			test.edit(broken.Data)
			if _, err := Authority(broken, time.Now()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
	for name, test := range map[string]struct {
		limit func(*x509.Certificate)
		want  string
	}{
		"no intermediate authorities": {func(c *x509.Certificate) { c.MaxPathLenZero = true }, "peers would reject its certificates"},
		"servers only":                {func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, "as that of a client"},
		"names":                       {func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"cluster.local", "svc"} }, ""},
	} {
		t.Run("limited to "+name, func(t *testing.T) {
			limited := &corev1.Secret{Data: pki.NewLimitedCorporate(t, test.limit).Intermediate(t)}
			if _, err := Authority(limited, time.Now()); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
	if _, err := Authority(secret, time.Now().Add(100*24*time.Hour)); err == nil || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("error of an expired authority is %v", err)
	}
}
