package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func TestCertificateTable(t *testing.T) {
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) *time.Time { end := noon.Add(d); return &end }
	summary := func(fingerprint string) v1alpha1.CertificateSummary {
		return v1alpha1.CertificateSummary{Fingerprint: fingerprint, Subject: "CN=" + fingerprint, NotAfter: metav1.NewTime(*in(240 * time.Hour))}
	}
	sidecar := func(account, issuer string, end *time.Time) report.Proxy {
		return report.Proxy{Namespace: "shop", ServiceAccount: account, CertificateIssuer: issuer, CertificateEnd: end}
	}
	// The mesh moves from a built-in root to an intermediate below another root. One sidecar has a certificate of an authority that is
	// not trusted any more, and one has none.
	tree := newCertificateTree("osm", v1alpha1.CertificatesStatus{
		Issuer: summary("middle"), Root: "new", Roots: []v1alpha1.CertificateSummary{summary("old"), summary("new")},
		Webhooks: []v1alpha1.WebhookCertificate{{Secret: "injector", NotAfter: metav1.NewTime(*in(48 * time.Hour))}},
	}, []report.Proxy{
		sidecar("web", "middle", in(3*time.Hour)), sidecar("web", "middle", in(2*time.Hour)), sidecar("api", "middle", in(5*time.Hour)),
		sidecar("cart", "old", in(4*time.Hour)), sidecar("lost", "gone", in(-time.Hour)), sidecar("bare", "", nil),
	})
	a := &app{now: func() time.Time { return noon }}
	var out bytes.Buffer
	form := output.Flag{}
	if err := form.Print(&out, output.Result{Table: a.certificateTable(tree)}); err != nil {
		t.Fatal(err)
	}
	want := `CERTIFICATE                      HELD BY      EXPIRES
root old                         -            10d
  issuer old (issued earlier)    -            -
    workload shop/cart           1 sidecar    4h
root new                         -            10d
  issuer middle (issues)         -            10d
    workload shop/api            1 sidecar    5h
    workload shop/web            2 sidecars   120m
    webhook injector             -            2d
root Unknown                     -            -
  issuer gone (issued earlier)   -            -
    workload shop/lost           1 sidecar    expired
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRotationIsRejectedWithAReason(t *testing.T) {
	mesh := func(change func(*v1alpha1.Mesh)) *v1alpha1.Mesh {
		m := &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}
		if change != nil {
			change(m)
		}
		return m
	}
	rotating := func(m *v1alpha1.Mesh) {
		m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionRotatingAuthority, Reason: "WaitingForTrust"}}
	}
	delegated := func(m *v1alpha1.Mesh) {
		m.Spec.Certificates = &v1alpha1.CertificatesSpec{IssuerRef: &v1alpha1.IssuerReference{Name: "corp"}}
	}
	vault := func(m *v1alpha1.Mesh) {
		m.Spec.Certificates = &v1alpha1.CertificatesSpec{Vault: &v1alpha1.VaultSpec{Address: "https://vault"}}
	}
	for name, test := range map[string]struct {
		mesh   *v1alpha1.Mesh
		domain string
		want   string
	}{
		"nothing against it":    {mesh(nil), "", ""},
		"the same trust domain": {mesh(nil), "cluster.local", ""},
		"another trust domain":  {mesh(nil), "example.org", "the trust domain of mesh osm is cluster.local: to change it to example.org, set spec.certificates.trustDomain of the Mesh"},
		"cert-manager":          {mesh(delegated), "", `cert-manager issues the certificate authority of mesh osm: replace the root of its issuer "corp", and the mesh follows`},
		"Vault":                 {mesh(vault), "", `the Vault at https://vault signs the certificate authority of mesh osm: replace the root of its PKI and declare another mount, and the mesh follows`},
		"a rotation":            {mesh(rotating), "", "a rotation of mesh osm is in progress, in step WaitingForTrust: see `osm certificates`"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := checkRotation(test.mesh, test.domain, "cluster.local"); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("the error is %q, want %q", got, test.want)
			}
		})
	}
}
