package certificates

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The mesh moves to another trust domain by declaration, and back. The operator is killed in both waiting steps of the first move. A pod that
// is created between the moves joins the mesh.
func TestTrustDomainMovesUnderLoad(t *testing.T) {
	lab.RequireFull(t)
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	kill := func(reason string) {
		if reason == v1alpha1.ReasonWaitingForTrust || reason == v1alpha1.ReasonWaitingForRenewal {
			killOperator(t, reason)
		}
	}
	s.underLoad(t, func() {
		changeCertificates(t, `{"trustDomain":"mesh.example"}`)
		awaitTrustDomain(t, "mesh.example", kill)
		s.requirePrincipal(t, "mesh.example")
		account, pod := cluster.TestPod(s.inside, "late")
		lab.Must(t, cluster.Create(t.Context(), account, pod))
		lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.inside))
		changeCertificates(t, `{"trustDomain":null}`)
		awaitTrustDomain(t, names.DefaultTrustDomain, func(string) {})
		s.requirePrincipal(t, names.DefaultTrustDomain)
	})
}

// awaitTrustDomain waits until the mesh issues in a trust domain and accepts no other one, and calls step with each step.
func awaitTrustDomain(t *testing.T, domain string, step func(reason string)) {
	t.Helper()
	start, last := time.Now(), ""
	lab.Eventually(t, rotationLimit, "the mesh is in the trust domain "+domain, func(ctx context.Context) (bool, string, error) {
		var mesh v1alpha1.Mesh
		if err := cluster.Client.Get(ctx, client.ObjectKey{Name: names.DefaultMesh}, &mesh); err != nil {
			return false, "", err
		}
		if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority); c != nil {
			if c.Reason != last {
				t.Logf("%5.1fs %s: %s", time.Since(start).Seconds(), c.Reason, c.Message)
				last = c.Reason
				step(c.Reason)
			}
			return false, c.Reason + ": " + c.Message, nil
		}
		now, err := activeAuthority(ctx)
		if err != nil {
			return false, "", err
		}
		only := []string{domain}
		domains := now.TrustDomains()
		return domains.Issued == domain && slices.Equal(domains.Clients, only) && slices.Equal(domains.Servers, only), fmt.Sprintf("%+v", domains), nil
	})
	t.Logf("%5.1fs the mesh is in the trust domain %s", time.Since(start).Seconds(), domain)
}

// requirePrincipal requires that the sidecar of the server presents a certificate in a trust domain.
func (s shop) requirePrincipal(t *testing.T, domain string) {
	t.Helper()
	if got, want := leafOf(t, s.chain(t)).DNSNames, "server."+s.inside+"."+domain; !slices.Equal(got, []string{want}) {
		t.Errorf("the sidecar of the server has the names %v, want %s", got, want)
	}
}
