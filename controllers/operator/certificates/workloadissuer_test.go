package certificates

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// observed are replicas that a test sets.
type observed []rotation.Replica

func (o observed) Replicas(context.Context, health.Target) ([]rotation.Replica, error) { return o, nil }

// requestingPass returns a pass of a mesh whose workloads have certificates of an issuer.
func requestingPass(active *certificate.Root) *pass {
	p := passOf(active)
	p.desired.Provider, p.desired.RequestsCertificates, p.desired.DeclaresAuthority = v1alpha1.ProviderCertManager, true, true
	p.desired.Issuer = v1alpha1.IssuerReference{Name: "corporate"}
	return p
}

// The issuer of workload certificates is part of the authority of cert-manager, and only of that.
func TestIssuerOfWorkloads(t *testing.T) {
	corporate := pki.NewCorporate(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: names.DelegatedCA}, Data: corporate.Intermediate(t)}
	issued, err := newReconciler(t, secret).desiredRoot(t.Context(), requestingPass(validRoot(t)))
	if err != nil {
		t.Fatal(err)
	}
	if want := (certificate.ExternalIssuer{Name: "corporate", Kind: "Issuer", Group: "cert-manager.io"}); issued.ExternalIssuer() == nil || *issued.ExternalIssuer() != want {
		t.Errorf("the issuer is %+v, want %+v", issued.ExternalIssuer(), want)
	}
	kept, err := newReconciler(t).desiredRoot(t.Context(), requestingPass(validRoot(t)))
	if err != nil || kept.ExternalIssuer() != nil {
		t.Errorf("before cert-manager has issued the authority the issuer is %+v, %v", kept.ExternalIssuer(), err)
	}
}

func TestIssuerOfWorkloadsIsWritten(t *testing.T) {
	r, p := newReconciler(t), passOf(validRoot(t))
	r.Applier = apply.New(r.Client, r.Recorder)
	issuer := &certificate.ExternalIssuer{Name: "corporate", Kind: "Issuer", Group: "cert-manager.io"}
	for _, want := range []*certificate.ExternalIssuer{issuer, nil} {
		if err := r.changeWorkloadIssuer(t.Context(), p, want); err != nil {
			t.Fatal(err)
		}
		live, err := r.Root(t.Context(), namespace)
		if err != nil || !certificate.SameExternalIssuer(live, p.root) || (live.ExternalIssuer() == nil) != (want == nil) {
			t.Errorf("the issuer is %+v, %v, want %+v", live.ExternalIssuer(), err, want)
		}
	}
}

// The condition describes since when certificates are not issued, why, and how long the present ones are valid.
func TestWorkloadsWithoutNewCertificatesAreReported(t *testing.T) {
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := requestingPass(validRoot(t).IssuedBy(&certificate.ExternalIssuer{Name: "corporate"}))
	p.revisions = []v1alpha1.MeshRevision{{Spec: v1alpha1.MeshRevisionSpec{Role: v1alpha1.RoleActive}}}
	r := newReconciler(t)
	for _, test := range []struct {
		replicas observed
		reason   string
		want     []string
	}{
		{observed{{Name: "a", FirstExpiry: noon}}, "", nil},
		{observed{{Name: "a", Problem: "no route"}}, "", nil},
		{
			observed{{Name: "a", Failure: "denied: no policy", FailingSince: noon, FirstExpiry: noon.Add(2 * time.Hour)}, {Name: "b", FirstExpiry: noon.Add(time.Hour)}},
			v1alpha1.ReasonNotIssued,
			[]string{"since 2026-11-20T12:00:00Z", "denied: no policy", "expires at 2026-11-20T13:00:00Z"},
		},
	} {
		r.Replicas, p.delegation = test.replicas, &delegation{by: "cert-manager"}
		if err := r.observeIssuance(t.Context(), p); err != nil || p.delegation.reason != test.reason {
			t.Errorf("%+v: reason %q, %v", test.replicas, p.delegation.reason, err)
		}
		for _, want := range test.want {
			if !strings.Contains(p.delegation.message, want) {
				t.Errorf("%q lacks %q", p.delegation.message, want)
			}
		}
	}
}
