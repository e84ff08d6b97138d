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
			r, p := newReconciler(t, append([]client.Object{rootSecret(t, first, a), rootSecret(t, second, b)}, test.declared...)...), passOf(a)
			desired, err := r.desiredRoot(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if desired, err = p.inDesiredDomains(desired); err != nil || !desired.TrustDomains().Equal(test.want) {
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
	p := passOf(a)
	p.desired.DeclaresTrustDomain = true
	if _, err := r.desiredRoot(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if d := p.declared[1]; d.problem == nil || !strings.Contains(d.problem.Error(), "takes precedence") || p.issuedDomain != "cluster.local" {
		t.Errorf("the problem is %v, and the trust domain %s", d.problem, p.issuedDomain)
	}
}

// A Secret in OSM's form has no trust domains: those of the active control plane count.
func TestTrustDomainOfASecretInTheFormOfOSM(t *testing.T) {
	p := passOf(nil)
	p.desired.TrustDomain = "new.example"
	revision := v1alpha1.MeshRevision{Spec: v1alpha1.MeshRevisionSpec{Role: v1alpha1.RoleActive, TrustDomain: "old.example"}}
	p.revisions = []v1alpha1.MeshRevision{revision}
	if got := p.withDomains(validRoot(t)).TrustDomains(); !got.Equal(identity.OneTrustDomain("old.example")) {
		t.Errorf("got %+v", got)
	}
}

// In b.a.example and a.example, two service accounts could have the same name. This holds for earlier trust domains, too.
func TestAmbiguousTrustDomainIsRejected(t *testing.T) {
	moved := identity.OneTrustDomain("b.example")
	moved.Known = []string{"a.example", "b.example"}
	p := passOf(nil)
	p.root = validRoot(t).In(moved)
	for _, domain := range []string{"x.b.example", "x.a.example", "example"} {
		p.issuedDomain = domain
		if _, err := p.inDesiredDomains(p.root); err == nil || !strings.Contains(err.Error(), "subdomain") {
			t.Errorf("%s after %v: %v", domain, moved.Known, err)
		}
	}
	p.issuedDomain = "c.example"
	if _, err := p.inDesiredDomains(p.root); err != nil {
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
