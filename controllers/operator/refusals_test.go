package operator_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A renewal that depends on the steps of an upgrade would not run in any of these states, and the first wait for a new certificate would
// time out. A condition that is removed or rewritten in between is caught by the watch.
func TestCertificatesAreRenewedInEveryState(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		enter func(*testing.T, *v1alpha1.Mesh)
	}{
		{"paused", func(t *testing.T, mesh *v1alpha1.Mesh) {
			change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
			waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPaused)
		}},
		{"planned", func(t *testing.T, mesh *v1alpha1.Mesh) {
			change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Mode = ptr.To(v1alpha1.ModePlan) })
			waitCondition(t, mesh, v1alpha1.ConditionPlanned, metav1.ConditionTrue, v1alpha1.ReasonPlanned)
		}},
		{"stalled", func(t *testing.T, mesh *v1alpha1.Mesh) {
			change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To("v99.0.0") })
			waitCondition(t, mesh, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnknownVersion)
		}},
		{"removed", func(t *testing.T, mesh *v1alpha1.Mesh) {
			create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: mesh.Name + "-shop"}})
			podWithSidecar(t, mesh.Name+"-shop", mesh.Name+"-v0-1-0")
			remove(t, mesh)
			waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForSidecars)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			name := "expiring" + test.name
			mesh := readyMesh(t, name, nil)
			broken := watchCondition(t, name, v1alpha1.ConditionCertificatesReady)
			test.enter(t, mesh)
			expireServing(t, name, secrets.InjectorCert, names.Injector)
			expireServing(t, name, secrets.ValidatorCert, names.Validator)
			waitRenewed(t, name, secrets.InjectorCert, names.Injector)
			waitRenewed(t, name, secrets.ValidatorCert, names.Validator)
			waitCondition(t, mesh, v1alpha1.ConditionCertificatesReady, metav1.ConditionTrue, v1alpha1.ReasonCertificatesValid)
			for _, problem := range broken() {
				t.Error(problem)
			}
		})
	}
}

// After the root is replaced, the webhooks of a paused mesh trust it together with the new certificates. A trust step that belongs to the
// rollout would leave the old root in their caBundle, and every call of a webhook would fail.
func TestPausedMeshKeepsTheTrustOfItsWebhooks(t *testing.T) {
	t.Parallel()
	const name = "pausedtrust"
	mesh := readyMesh(t, name, nil)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
	waitCondition(t, mesh, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPaused)
	next := authority(t, name)
	change(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, names.CABundleSecret)}, func(s *corev1.Secret) { s.Data = next.Data })
	root, err := certificate.ParseRoot(next.Data[names.CABundleCert], next.Data[names.CABundleKey], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for secret, service := range map[string]string{secrets.InjectorCert: names.Injector, secrets.ValidatorCert: names.Validator} {
		waitFor(t, &corev1.Secret{ObjectMeta: inMeshNamespace(name, secret)}, func(s *corev1.Secret) error { return signedBy(s, root) })
		waitRenewed(t, name, secret, service)
	}
}

// A distribution that stops at the first error leaves the namespaces after "rejecting-a" without trust, and one that blocks the mesh never
// lets it become ready, renew or upgrade.
func TestNamespaceThatRejectsTrustDoesNotBlockTheMesh(t *testing.T) {
	t.Parallel()
	const name, fixed, full = "rejecting", "rejecting-a", "rejecting-b"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fixed, Labels: map[string]string{names.MonitoredByLabel: name}}})
	own := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixed, Name: names.TrustConfigMap(name)},
		Data:       map[string]string{names.CABundleCert: "mine"}, Immutable: ptr.To(true),
	}
	create(t, own)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: full, Labels: map[string]string{names.MonitoredByLabel: name}}})
	quota := fillQuota(t, full)
	mesh := readyMesh(t, name, fastUpgrades)
	m := newCanaryWorkloads(t, name, map[string][]string{"rejecting-c": {"cart"}, "rejecting-d": {"desk"}})

	waitRejections(t, mesh, fixed+": ", "immutable", full+": ", "exceeded quota")
	waitEventOn(t, fixed, v1alpha1.ReasonNamespacesRejected, "immutable")
	waitEventOn(t, full, v1alpha1.ReasonNamespacesRejected, "exceeded quota")
	for _, namespace := range []string{"rejecting-c", "rejecting-d", meshNamespace(name)} {
		waitFor(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: own.Name}}, func(*corev1.ConfigMap) error { return nil })
	}
	expireServing(t, name, secrets.InjectorCert, names.Injector)
	waitRenewed(t, name, secrets.InjectorCert, names.Injector)

	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	m.wait("rejecting-c", "rejecting-v0-1-0")
	m.wait("rejecting-d", "rejecting-v0-1-0")
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	waitReady(t, mesh)
	waitRejections(t, mesh, fixed+": ", full+": ")
	get(t, own)
	if own.Data[names.CABundleCert] != "mine" {
		t.Error("the immutable ConfigMap was replaced")
	}

	remove(t, own)
	remove(t, quota)
	waitCondition(t, mesh, v1alpha1.ConditionTrustDistributed, metav1.ConditionTrue, v1alpha1.ReasonTrustDistributed)
	for _, namespace := range []string{fixed, full} {
		trust := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: own.Name}}
		get(t, trust)
		if !strings.Contains(trust.Data[names.CABundleCert], "BEGIN CERTIFICATE") {
			t.Errorf("the trust of %s is %q", namespace, trust.Data)
		}
	}
}

// An upgrade that stops at the first denied patch never restarts "search", which follows "cart", and never succeeds.
func TestDeniedRestartDoesNotBlockAnUpgrade(t *testing.T) {
	t.Parallel()
	const name = "deniedup"
	mesh := readyMesh(t, name, fastUpgrades)
	s := newWorkloads(t, name, "cart", "checkout", "search")
	s.wait(name+"-v0-0-9", 3)
	allow := denyRestarts(t, s.namespace, "cart")
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	s.wait(name+"-v0-1-0", 2)
	waitDenied(t, mesh, s.namespace, "cart")
	waitEvent(t, s.namespace+"/cart", "RestartDenied", policyAnswer)
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	if again := s.restarts(); again["cart"] != 0 || again["checkout"] != 1 || again["search"] != 1 {
		t.Errorf("workloads were restarted so often: %v, want checkout and search once", again)
	}
	allow()
	within(t, upgradeTimeout, func() error {
		get(t, mesh)
		if c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionDataPlaneUpToDate); c == nil || c.Status != metav1.ConditionTrue {
			return fmt.Errorf("the data plane is %+v", c)
		}
		return nil
	})
	waitReady(t, mesh)
}

// A rollback that stops at the first denied patch leaves "checkout" and "search", which follow "cart", at the version that failed. One that
// takes each retry for a step of the rollback reports RollingBack again after RolledBack.
func TestDeniedRestartDoesNotBlockARollback(t *testing.T) {
	t.Parallel()
	const name = "deniedback"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		fastUpgrades(spec)
		spec.Upgrade.DataPlane.MaxUnavailable = ptr.To(intstr.FromInt32(3))
		// The version must fail before it is verified.
		spec.Upgrade.Gates.Soak = ptr.To(v1alpha1.NewDuration(20 * time.Second))
	})
	s := newWorkloads(t, name, "cart", "checkout", "search")
	s.wait(name+"-v0-0-9", 3)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	s.wait(name+"-v0-1-0", 3)
	allow := denyRestarts(t, s.namespace, "cart")
	failing := healthy()
	failing.Flows = []rollout.Flow{{Requests: rollout.Requests{Issued: 100, Failed: 50}}}
	cluster.health.set(meshNamespace(name), operatorVersion, failing)
	waitVersion(t, name, olderVersion)
	s.wait(name+"-v0-0-9", 2)
	waitDenied(t, mesh, s.namespace, "cart")
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	waitRetriedDenial(t, mesh)
	if phases := cluster.linter.phasesOf(name); len(phases) < 2 || slices.Index(phases, v1alpha1.UpgradePhase(rollout.RolledBack)) != len(phases)-1 {
		t.Errorf("the mesh leaves the phase RolledBack for a retry: %v", phases)
	}
	allow()
	within(t, upgradeTimeout, func() error {
		if restarts := s.restarts(); restarts["cart"] != 2 {
			return fmt.Errorf("cart was not restarted after the denials ended: %v", restarts)
		}
		return nil
	})
}

// waitRetriedDenial waits until a denied restart was denied again, after which the backoff is longer.
func waitRetriedDenial(t *testing.T, mesh *v1alpha1.Mesh) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionDataPlaneUpToDate)
		if c == nil || !strings.Contains(c.Message, "tried again after 20s") {
			return fmt.Errorf("the restart was not tried again: %+v", c)
		}
		return nil
	})
}

// A removal that stops at the first denied patch leaves "search", which follows "cart", with its sidecar.
func TestDeniedRestartDoesNotBlockARemoval(t *testing.T) {
	t.Parallel()
	const name = "deniedgone"
	mesh := readyMesh(t, name, restartOnRemoval)
	s := newWorkloads(t, name, "cart", "search")
	s.wait(name+"-v0-0-9", 2)
	allow := denyRestarts(t, s.namespace, "cart")
	remove(t, mesh)
	waitRemovalPhase(t, mesh, v1alpha1.RemovalRestarting)
	s.waitWithout("search")
	waitEvent(t, s.namespace+"/cart", "RestartDenied", policyAnswer)
	eventually(t, func() error {
		get(t, mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionReady)
		if !containsAll(c.Message, []string{"Deployment " + s.namespace + "/cart (its restart was denied", policyAnswer}) {
			return fmt.Errorf("the denied workload is not reported: %s", c.Message)
		}
		return nil
	})
	allow()
	within(t, upgradeTimeout, func() error {
		found, err := exists(t.Context(), mesh)
		if found {
			return fmt.Errorf("the mesh exists: %+v", mesh.Status.Removal)
		}
		return err
	})
}

// watchCondition watches a condition that is True now, and returns every other written state of it.
func watchCondition(t *testing.T, mesh, kind string) (problems func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	watcher, err := cluster.client.(client.WithWatch).Watch(ctx, &v1alpha1.MeshList{}, client.MatchingFields{"metadata.name": mesh})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range watcher.ResultChan() {
			object, ok := event.Object.(*v1alpha1.Mesh)
			if !ok {
				continue
			}
			if c := meta.FindStatusCondition(object.Status.Conditions, kind); c == nil || c.Status != metav1.ConditionTrue {
				found = append(found, fmt.Sprintf("at generation %d %s is %+v", object.Generation, kind, c))
			}
		}
	}()
	return func() []string { watcher.Stop(); <-done; return found }
}

// servingHost is the name that a webhook's server has.
func servingHost(mesh, service string) string { return service + "." + meshNamespace(mesh) + ".svc" }

// expireServing replaces the certificate of a webhook by one that the mesh has issued and that ends tomorrow.
func expireServing(t *testing.T, mesh, secret, service string) {
	t.Helper()
	ca := &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, names.CABundleSecret)}
	get(t, ca)
	root, err := certificate.ParseRoot(ca.Data[names.CABundleCert], ca.Data[names.CABundleKey], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	old, err := certificate.NewIssuer(root, certificate.KeySpec{}, time.Now).Server([]string{servingHost(mesh, service)}, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	change(t, &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, secret)}, func(s *corev1.Secret) {
		s.Data[corev1.TLSCertKey], s.Data[corev1.TLSPrivateKeyKey] = old.ChainPEM, old.KeyPEM
	})
}

// waitRenewed waits until a webhook has a certificate that lasts, and until all registered webhooks of that server trust it.
func waitRenewed(t *testing.T, mesh, secret, service string) {
	t.Helper()
	waitFor(t, &corev1.Secret{ObjectMeta: inMeshNamespace(mesh, secret)}, func(s *corev1.Secret) error {
		block, _ := pem.Decode(s.Data[corev1.TLSCertKey])
		if block == nil {
			return fmt.Errorf("the Secret %s has no certificate", secret)
		}
		served, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		if left := time.Until(served.NotAfter); left < 60*24*time.Hour {
			return fmt.Errorf("the certificate in Secret %s ends in %s", secret, left)
		}
		bundles, err := bundlesFor(t.Context(), mesh, service)
		if err != nil {
			return err
		}
		for _, bundle := range bundles {
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(bundle)
			if _, err := served.Verify(x509.VerifyOptions{Roots: roots, DNSName: servingHost(mesh, service)}); err != nil {
				return fmt.Errorf("a webhook does not trust its server %s: %w", service, err)
			}
		}
		return nil
	})
}

// bundlesFor lists the trust of the registered webhooks that a Service of a mesh answers; there is at least one.
func bundlesFor(ctx context.Context, mesh, service string) ([][]byte, error) {
	mutating, validating := &admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{}
	if err := cluster.client.Get(ctx, client.ObjectKey{Name: names.MutatingWebhook(mesh)}, mutating); err != nil {
		return nil, err
	}
	if err := cluster.client.Get(ctx, client.ObjectKey{Name: names.ValidatingWebhook(mesh)}, validating); err != nil {
		return nil, err
	}
	var configs []admissionv1.WebhookClientConfig
	for i := range mutating.Webhooks {
		configs = append(configs, mutating.Webhooks[i].ClientConfig)
	}
	for i := range validating.Webhooks {
		configs = append(configs, validating.Webhooks[i].ClientConfig)
	}
	var bundles [][]byte
	for _, config := range configs {
		if config.Service != nil && config.Service.Name == service {
			bundles = append(bundles, config.CABundle)
		}
	}
	if len(bundles) == 0 {
		return nil, fmt.Errorf("no webhook of the mesh calls the Service %s", service)
	}
	return bundles, nil
}

// fillQuota allows no ConfigMap in a namespace. The status is what the controller of quotas would write, which does not run here.
func fillQuota(t *testing.T, namespace string) *corev1.ResourceQuota {
	t.Helper()
	none := corev1.ResourceList{corev1.ResourceConfigMaps: resource.MustParse("0")}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: none}}
	create(t, quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none}
	if err := cluster.client.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "probe"}}
		if err := cluster.client.Create(t.Context(), probe, client.DryRunAll); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "exceeded quota") {
			return fmt.Errorf("the quota is not enforced yet: %w", err)
		}
		return nil
	})
	return quota
}

// waitRejections waits until TrustDistributed is False with some words.
func waitRejections(t *testing.T, mesh *v1alpha1.Mesh, words ...string) {
	t.Helper()
	c := waitCondition(t, mesh, v1alpha1.ConditionTrustDistributed, metav1.ConditionFalse, v1alpha1.ReasonNamespacesRejected)
	assertContains(t, c.Message, words...)
}

// waitEventOn waits for an Event on a namespace.
func waitEventOn(t *testing.T, namespace, reason, words string) {
	t.Helper()
	eventually(t, func() error {
		var list eventsv1.EventList
		if err := cluster.client.List(t.Context(), &list); err != nil {
			return err
		}
		for i := range list.Items {
			e := &list.Items[i]
			if e.Reason == reason && e.Regarding.Kind == "Namespace" && e.Regarding.Name == namespace && strings.Contains(e.Note, words) {
				return nil
			}
		}
		return fmt.Errorf("the namespace %s has no Event %s that contains %q", namespace, reason, words)
	})
}

// waitDenied waits until DataPlaneUpToDate names a workload with the answer of the policy.
func waitDenied(t *testing.T, mesh *v1alpha1.Mesh, namespace, deployment string) {
	t.Helper()
	c := waitCondition(t, mesh, v1alpha1.ConditionDataPlaneUpToDate, metav1.ConditionFalse, v1alpha1.ReasonRestartsDenied)
	assertContains(t, c.Message, "restarts of 1 workload", "Deployment "+namespace+"/"+deployment, policyAnswer)
}

// policyAnswer is what the policy of denyRestarts answers.
const policyAnswer = "frozen until the inspection ends"

// denyRestarts denies all changes of a Deployment by the operator, until it is allowed again.
func denyRestarts(t *testing.T, namespace, deployment string) (allow func()) {
	t.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "frozen-" + namespace + "-" + deployment},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: ptr.To(admissionv1.Fail),
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				ResourceNames: []string{deployment},
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "request.userInfo.username != 'osm-operator'", Message: policyAnswer}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: policy.Name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
			},
		},
	}
	create(t, policy)
	create(t, binding)
	asOperator, err := client.New(cluster.rest, client.Options{Scheme: cluster.client.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: deployment}}
		patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.com/probe":"1"}}}`))
		if err := asOperator.Patch(t.Context(), d, patch, client.DryRunAll); err == nil || !strings.Contains(err.Error(), policyAnswer) {
			return fmt.Errorf("the policy is not enforced yet: %w", err)
		}
		return nil
	})
	return func() {
		t.Helper()
		remove(t, binding)
		remove(t, policy)
	}
}
