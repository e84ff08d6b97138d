package certificates

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// requestPolicies let cert-manager request authorities, and the control plane certificates of all workloads but those of one account.
const requestPolicies = `apiVersion: policy.cert-manager.io/v1alpha1
kind: CertificateRequestPolicy
metadata: {name: authorities}
spec:
  allowed: {isCA: true, commonName: {value: "*"}, usages: [cert sign, crl sign, digital signature]}
  selector: {issuerRef: {}}
---
apiVersion: policy.cert-manager.io/v1alpha1
kind: CertificateRequestPolicy
metadata: {name: workloads}
spec:
  allowed:
    commonName: {value: "*"}
    dnsNames: {values: ["*"]}
    uris:
      values: ["spiffe://*"]
      validations: [{rule: "!self.contains('/%[1]s/')", message: "the account %[1]s gets no certificate"}]
    usages: [digital signature, key encipherment, client auth, server auth]
  selector: {issuerRef: {name: corporate, kind: Issuer, group: cert-manager.io}, namespace: {matchNames: [osm-system]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: request-workloads}
rules: [{apiGroups: [policy.cert-manager.io], resources: [certificaterequestpolicies], resourceNames: [workloads], verbs: [use]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: request-workloads}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: request-workloads}
subjects: [{kind: ServiceAccount, name: osm-controller, namespace: osm-system}]
`

// approver-policy denies the certificates of one account. The condition has its reason, and all others are renewed. When the policy allows the
// account, it gets certificates too.
func TestPolicyDeniesOneIdentity(t *testing.T) {
	lab.RequireFull(t)
	lab.Must(t, cluster.ApplyFile(t.Context(), "config", "samples", "cert-manager", "issuer.yaml"))
	t.Cleanup(func() {
		lab.Must(t, cluster.Repository.Tool(context.Background(), os.Stderr, "./cluster", "approver-policy", "down"))
	})
	lab.Must(t, cluster.Repository.Tool(t.Context(), os.Stderr, "./cluster", "approver-policy", "up"))
	allow := func(denied string) { lab.Must(t, cluster.Apply(t.Context(), fmt.Sprintf(requestPolicies, denied))) }
	allow("nobody")
	t.Cleanup(func() { restoreMesh(t) })
	s := deployShop(t)
	before := ownAuthority(t)
	s.underLoad(t, func() {
		changeCertificates(t, `{"provider":"CertManager","issuerRef":`+corporateIssuer+`,"workloadIssuance":"CertificateRequest"}`)
		awaitRotation(t, before, func(string) {})
		awaitDelegation(t, metav1.ConditionTrue, "")
		first := leafOf(t, s.chain(t))

		allow("late")
		account, pod := cluster.TestPod(s.inside, "late")
		lab.Must(t, cluster.Create(t.Context(), account, pod))
		awaitDelegation(t, metav1.ConditionFalse, "the account late gets no certificate")
		changeCertificates(t, `{"serviceCertificateDuration":"2h"}`)
		lab.Eventually(t, 2*time.Minute, "the server has a renewed certificate", func(context.Context) (bool, string, error) {
			now := leafOf(t, s.chain(t))
			return !now.Equal(first) && time.Until(now.NotAfter) < 2*time.Hour, "until " + now.NotAfter.String(), nil
		})

		allow("nobody")
		awaitDelegation(t, metav1.ConditionTrue, "")
		lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.inside))
	})
}
