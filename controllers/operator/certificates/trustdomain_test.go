package certificates

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// MeshRootCertificates declare the trust domain of the issuing root, and that those of passive roots are accepted.
func TestDeclaredTrustDomains(t *testing.T) {
	a, b := validRoot(t), validRoot(t)
	of := func(number int, role configv1alpha2.RootRole, secret, domain string) *configv1alpha2.MeshRootCertificate {
		root := mrc(number, role, secret)
		root.Spec.TrustDomain = domain
		return root
	}
	const first, second, missing = names.CABundleSecret, "b", "missing"
	active, passive, inactive := configv1alpha2.RoleActive, configv1alpha2.RolePassive, configv1alpha2.RoleInactive
	broken := of(2, active, missing, "new.example")
	broken.Spec.Provider.Tresor.CA.SecretRef.Namespace = "kube-system"
	for name, test := range map[string]struct {
		declared []client.Object
		want     identity.TrustDomains
	}{
		"that of the Mesh":                                 {[]client.Object{of(1, active, first, "")}, identity.OneTrustDomain("cluster.local")},
		"a passive one":                                    {[]client.Object{of(1, active, first, "cluster.local"), of(2, passive, second, "new.example")}, identity.AcceptedTrustDomains("cluster.local", "new.example")},
		"the newer one is active":                          {[]client.Object{of(1, active, first, "cluster.local"), of(2, active, second, "new.example")}, identity.AcceptedTrustDomains("new.example", "cluster.local")},
		"the old one is withdrawn":                         {[]client.Object{of(1, inactive, first, "cluster.local"), of(2, active, second, "new.example")}, identity.OneTrustDomain("new.example")},
		"nothing is withdrawn for one that cannot be used": {[]client.Object{of(1, inactive, first, "cluster.local"), broken}, identity.OneTrustDomain("cluster.local")},
	} {
		t.Run(name, func(t *testing.T) {
			r, s := newReconciler(t, append([]client.Object{rootSecret(t, first, a), rootSecret(t, second, b)}, test.declared...)...), scopeOf(a)
			desired, err := r.desiredRoot(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if desired, err = s.inDesiredDomains(desired); err != nil || !desired.TrustDomains().Equal(test.want) {
				t.Errorf("got %+v, %v, want %+v", desired.TrustDomains(), err, test.want)
			}
		})
	}
}

func TestTrustDomainOfTheMeshTakesPrecedence(t *testing.T) {
	a, b := validRoot(t), validRoot(t)
	other := mrc(2, configv1alpha2.RoleActive, "b")
	other.Spec.TrustDomain = "new.example"
	r := newReconciler(t, rootSecret(t, names.CABundleSecret, a), rootSecret(t, "b", b), mrc(1, configv1alpha2.RoleActive, names.CABundleSecret), other)
	s := scopeOf(a)
	s.desired.DeclaresTrustDomain = true
	if _, err := r.desiredRoot(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if d := s.declared[1]; d.problem == nil || !strings.Contains(d.problem.Error(), "takes precedence") || s.issuedDomain != "cluster.local" {
		t.Errorf("the problem is %v, and the trust domain %s", d.problem, s.issuedDomain)
	}
}

// A Secret in OSM's form has no trust domains: those of the active control plane count.
func TestTrustDomainOfASecretInTheFormOfOSM(t *testing.T) {
	s := scopeOf(nil)
	s.desired.TrustDomain = "new.example"
	revision := v1alpha1.MeshRevision{Spec: v1alpha1.MeshRevisionSpec{Role: v1alpha1.RoleActive, TrustDomain: "old.example"}}
	s.revisions = []v1alpha1.MeshRevision{revision}
	if got := s.withDomains(validRoot(t)).TrustDomains(); !got.Equal(identity.OneTrustDomain("old.example")) {
		t.Errorf("got %+v", got)
	}
}

// In b.a.example and a.example, two service accounts could have the same name. This holds for earlier trust domains, too.
func TestAmbiguousTrustDomainIsRejected(t *testing.T) {
	moved := identity.OneTrustDomain("b.example")
	moved.Known = []string{"a.example", "b.example"}
	s := scopeOf(nil)
	s.root = validRoot(t).In(moved)
	for _, domain := range []string{"x.b.example", "x.a.example", "example"} {
		s.issuedDomain = domain
		if _, err := s.inDesiredDomains(s.root); err == nil || !strings.Contains(err.Error(), "subdomain") {
			t.Errorf("%s after %v: %v", domain, moved.Known, err)
		}
	}
	s.issuedDomain = "c.example"
	if _, err := s.inDesiredDomains(s.root); err != nil {
		t.Error(err)
	}
}

func TestDescribeStep(t *testing.T) {
	a := validRoot(t).In(identity.OneTrustDomain("a.example"))
	both := a.In(identity.AcceptedTrustDomains("a.example", "b.example"))
	switched := a.In(identity.AcceptedTrustDomains("b.example", "a.example"))
	for want, got := range map[string]string{
		"accepts clients of the trust domains a.example and b.example from now on, instead of a.example": describeStep(a, both),
		"certificates are issued in the trust domain b.example from now on, instead of a.example":        describeStep(both, switched),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	b := validRoot(t).In(identity.OneTrustDomain("a.example"))
	if got := describeStep(a, b); !strings.Contains(got, "issues from now on, instead of "+a.Generation()) || strings.Contains(got, "trust domain") {
		t.Errorf("%q", got)
	}
}
