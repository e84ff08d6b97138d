package checks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/operators"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ControlPlane checks the operator, the control plane and its webhooks.
func (s Subject) ControlPlane(ctx context.Context) []diagnosis.Finding {
	groups := []diagnosis.Finding{
		diagnosis.Group("Operator", s.operators(ctx)...),
		diagnosis.Group("Mesh "+s.Mesh, append(s.mesh(ctx), s.meshConfig(ctx))...),
		diagnosis.Group("Control plane", append(s.programs(ctx, ""), s.endpoints(ctx, names.Validator))...),
		diagnosis.Group("Webhooks", s.injectorWebhook(ctx), s.validatorWebhook(ctx)),
	}
	if s.CanarySuffix == "" {
		return groups
	}
	return append(groups, diagnosis.Group("Canary control plane", s.programs(ctx, s.CanarySuffix)...))
}

// programs checks the programs of a control plane. The suffix is that of the canary's Deployments, or empty.
func (s Subject) programs(ctx context.Context, suffix string) []diagnosis.Finding {
	controller, injector := names.WithSuffix(names.Controller, suffix), names.WithSuffix(names.Injector, suffix)
	return []diagnosis.Finding{
		s.deployment(ctx, s.Namespace, controller), s.deployment(ctx, s.Namespace, injector),
		s.probes(ctx, controller), s.probes(ctx, injector),
		s.endpoints(ctx, controller), s.endpoints(ctx, injector),
	}
}

// operators checks every operator of the cluster. Without one, it reports that of the default namespace as missing.
func (s Subject) operators(ctx context.Context) []diagnosis.Finding {
	found, err := operators.Find(ctx, s.Client)
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("the operators", err)}
	}
	if len(found) == 0 {
		return []diagnosis.Finding{s.deployment(ctx, names.OperatorNamespace, names.Operator)}
	}
	var results []diagnosis.Finding
	var namespaces []string
	for i := range found {
		namespaces = append(namespaces, found[i].Namespace)
		results = append(results, podsReady(&found[i]))
	}
	if len(found) > 1 {
		results = append(results, diagnosis.Warn("uninstall all but one", "operators are installed in the namespaces %s: only one of them is active", strings.Join(namespaces, ", ")))
	}
	return results
}

func (s Subject) deployment(ctx context.Context, namespace, name string) diagnosis.Finding {
	d := &appsv1.Deployment{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d)
	if apierrors.IsNotFound(err) {
		return diagnosis.Fail("see the status in `kubectl get mesh`; if the operator is missing, install it with `osm install --operator`",
			"Deployment %s not found in namespace %s", name, namespace)
	}
	if err != nil {
		return diagnosis.Unread(fmt.Sprintf("Deployment %s in namespace %s", name, namespace), err)
	}
	return podsReady(d)
}

// podsReady reports whether all pods of a Deployment are ready.
func podsReady(d *appsv1.Deployment) diagnosis.Finding {
	desired := ptr.Deref(d.Spec.Replicas, 1)
	if d.Status.ReadyReplicas < desired || desired == 0 {
		return diagnosis.Fail(fmt.Sprintf("run kubectl -n %s describe pods -l app=%s", d.Namespace, d.Name), "%s: %d of %s ready", d.Name, d.Status.ReadyReplicas, output.Count(int(desired), "pod"))
	}
	return diagnosis.Pass("%s: %s ready", d.Name, output.Count(int(desired), "pod"))
}

func (s Subject) mesh(ctx context.Context) []diagnosis.Finding {
	m := &v1alpha1.Mesh{}
	err := s.Client.Get(ctx, client.ObjectKey{Name: s.Mesh}, m)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return []diagnosis.Finding{diagnosis.Fail("install a mesh with `osm install`", "Mesh %s not found", s.Mesh)}
	}
	if err != nil {
		return []diagnosis.Finding{diagnosis.Unread("Mesh "+s.Mesh, err)}
	}
	if m.DeletionTimestamp != nil {
		return append([]diagnosis.Finding{removal(m)}, s.certificates(m)...)
	}
	var results []diagnosis.Finding
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionConfigurationAccepted} {
		c := meta.FindStatusCondition(m.Status.Conditions, kind)
		switch {
		case c == nil:
			results = append(results, diagnosis.Fail("see the log of the operator, whose pods `kubectl get pods -A -l app=osm-operator` lists", "condition %s is not set yet", kind))
		case c.Status == metav1.ConditionTrue:
			results = append(results, diagnosis.Pass("%s: %s", kind, c.Message))
		case kind == v1alpha1.ConditionConfigurationAccepted:
			results = append(results, diagnosis.Warn("", "%s: %s", c.Reason, c.Message))
		default:
			results = append(results, diagnosis.Fail("", "%s is %s, %s: %s", kind, c.Status, c.Reason, c.Message))
		}
	}
	if upgradesInPlace(m) {
		results = append(results, s.kubelets(ctx)...)
	}
	return slices.Concat(results, bridge(m), components(m), peers(m), s.certificates(m))
}

// peers reports peers that are not ready; nothing without any.
func peers(m *v1alpha1.Mesh) []diagnosis.Finding {
	c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionPeersReady)
	switch {
	case c == nil:
		return nil
	case c.Status == metav1.ConditionTrue:
		return []diagnosis.Finding{diagnosis.Pass("%s", c.Message)}
	}
	return []diagnosis.Finding{diagnosis.Warn("see `osm peer check`", "%s is %s, %s: %s", c.Type, c.Status, c.Reason, c.Message)}
}

// bridge reports which workloads still use the bridge for sidecars of Open Service Mesh; nothing without one.
func bridge(m *v1alpha1.Mesh) []diagnosis.Finding {
	c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionServingOSMSidecars)
	switch {
	case c == nil:
		return nil
	case c.Reason == v1alpha1.ReasonBridgeOpen:
		return []diagnosis.Finding{diagnosis.Warn("restart these workloads before that time", "%s", c.Message)}
	case c.Reason == v1alpha1.ReasonBridgeUnused:
		return []diagnosis.Finding{diagnosis.Pass("%s", c.Message)}
	}
	return []diagnosis.Finding{diagnosis.Warn(fmt.Sprintf("remove spec.adoption.bridge of the Mesh %s", m.Name), "%s", c.Message)}
}

// removal reports that a Mesh is being deleted, and what the removal waits for. Most conditions are not set meanwhile.
func removal(m *v1alpha1.Mesh) diagnosis.Finding {
	state := "the removal has begun"
	if ready := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		state = ready.Reason + ": " + ready.Message
	}
	remedy := "wait for its end with `kubectl get mesh " + m.Name + " --watch`"
	if m.Status.Removal == nil || m.Status.Removal.Phase == v1alpha1.RemovalWaiting {
		remedy = "to keep the mesh, see docs/help/deleted-the-mesh.md; to go on, follow the message"
	}
	return diagnosis.Warn(remedy, "the Mesh is being deleted since %s, %s", m.DeletionTimestamp.UTC().Format(time.RFC3339), state)
}

// components reports the components that the Mesh enables and that are not ready.
func components(m *v1alpha1.Mesh) []diagnosis.Finding {
	var results []diagnosis.Finding
	for _, c := range m.Status.Components {
		switch {
		case c.Ready:
		case c.Reason == v1alpha1.ReasonProgressing:
			results = append(results, diagnosis.Warn("", "component %s is not ready, %s: %s", c.Name, c.Reason, c.Message))
		default:
			message, remedy, _ := strings.Cut(c.Message, ": install ")
			if remedy != "" {
				remedy = "install " + remedy
			}
			results = append(results, diagnosis.Fail(remedy, "component %s is not installed, %s: %s", c.Name, c.Reason, message))
		}
	}
	return results
}

func (s Subject) meshConfig(ctx context.Context) diagnosis.Finding {
	m := &configv1alpha2.MeshConfig{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.MeshConfig}, m); err != nil {
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return diagnosis.Fail("the operator recreates it within seconds; if not, see the operator's log", "MeshConfig %s not found in namespace %s", names.MeshConfig, s.Namespace)
		}
		return diagnosis.Unread("MeshConfig", err)
	}
	if c := meta.FindStatusCondition(m.Status.Conditions, kinds.ConditionServiceAnswers); c != nil && c.Status == metav1.ConditionFalse &&
		c.ObservedGeneration == m.Generation {
		return diagnosis.Fail("", "MeshConfig %s/%s: %s: %s", s.Namespace, names.MeshConfig, c.Reason, c.Message)
	}
	mode := "traffic is denied unless a policy allows it"
	if m.Spec.Traffic.EnablePermissiveTrafficPolicyMode {
		mode = "permissive mode: all traffic inside the mesh is allowed"
	}
	return diagnosis.Pass("MeshConfig %s/%s: %s", s.Namespace, names.MeshConfig, mode)
}

// probes checks the readiness endpoint of each pod of a component.
func (s Subject) probes(ctx context.Context, component string) diagnosis.Finding {
	var pods corev1.PodList
	if err := s.Client.List(ctx, &pods, client.InNamespace(s.Namespace), client.MatchingLabels{names.AppLabel: component}); err != nil {
		return diagnosis.Unread("pods of "+component, err)
	}
	running := 0
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil {
			continue
		}
		running++
		if err := s.Probe(ctx, s.Namespace, p.Name, names.HealthPort, "/health/ready"); err != nil {
			return diagnosis.Fail(fmt.Sprintf("see the log: kubectl -n %s logs %s", s.Namespace, p.Name), "readiness probe of pod %s failed: %v", p.Name, err)
		}
	}
	if running == 0 {
		return diagnosis.Fail(fmt.Sprintf("run kubectl -n %s describe pods -l app=%s", s.Namespace, component), "no pod of %s is running", component)
	}
	return diagnosis.Pass("%s passes its health probes (%s)", component, output.Count(running, "pod"))
}

func (s Subject) endpoints(ctx context.Context, service string) diagnosis.Finding {
	ready, err := s.readyEndpoints(ctx, entity.Name{Namespace: s.Namespace, Name: service})
	switch {
	case err != nil:
		return diagnosis.Unread("endpoints of Service "+service, err)
	case ready == 0:
		return diagnosis.Fail("", "Service %s/%s has no ready endpoints", s.Namespace, service)
	}
	return diagnosis.Pass("Service %s/%s has %s", s.Namespace, service, output.Count(ready, "ready endpoint"))
}

func (s Subject) injectorWebhook(ctx context.Context) diagnosis.Finding {
	w := &admissionv1.MutatingWebhookConfiguration{}
	return s.webhook(ctx, w, names.MutatingWebhook(s.Mesh), "injector", "injects sidecars", "pods get no sidecar", func() bool {
		return slices.ContainsFunc(w.Webhooks, func(one admissionv1.MutatingWebhook) bool { return len(one.ClientConfig.CABundle) == 0 })
	})
}

func (s Subject) validatorWebhook(ctx context.Context) diagnosis.Finding {
	w := &admissionv1.ValidatingWebhookConfiguration{}
	return s.webhook(ctx, w, names.ValidatingWebhook(s.Mesh), "controller", "validates policies", "invalid policies are not rejected", func() bool {
		return slices.ContainsFunc(w.Webhooks, func(one admissionv1.ValidatingWebhook) bool { return len(one.ClientConfig.CABundle) == 0 })
	})
}

// webhook checks that a configuration exists, and that the operator has set all its CA bundles. program serves the webhook.
func (s Subject) webhook(ctx context.Context, w client.Object, name, program, purpose, without string, lacksBundle func() bool) diagnosis.Finding {
	switch err := s.Client.Get(ctx, client.ObjectKey{Name: name}, w); {
	case apierrors.IsNotFound(err):
		return diagnosis.Fail("the operator creates it when the control plane is ready; see `kubectl get mesh`", "webhook %s not found: %s", name, without)
	case err != nil:
		return diagnosis.Unread("webhook "+name, err)
	case lacksBundle():
		return diagnosis.Fail("the operator sets it when the "+program+" is ready; see `kubectl get mesh`", "webhook %s has no caBundle yet, so the API server cannot call it", name)
	}
	return diagnosis.Pass("%s %s", name, purpose)
}

// certificates checks what the status of a Mesh reports about its certificates. A Mesh without such a status has no result.
func (s Subject) certificates(m *v1alpha1.Mesh) []diagnosis.Finding {
	var results []diagnosis.Finding
	if certificates := m.Status.Certificates; certificates != nil {
		results = append(results, s.expiry("the certificate authority "+certificates.Issuer.Fingerprint, certificates.Issuer.NotAfter.Time, issuerWarning, "see `osm certificates`"))
	}
	for _, kind := range []string{v1alpha1.ConditionCertificatesDelegated, v1alpha1.ConditionIngressCertificateReady} {
		if c := meta.FindStatusCondition(m.Status.Conditions, kind); c != nil && c.Status == metav1.ConditionFalse {
			results = append(results, diagnosis.Warn("", "%s is False, %s: %s", kind, c.Reason, c.Message))
		}
	}
	if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionIssuerShared); c != nil {
		results = append(results, diagnosis.Warn("use an Issuer in the namespace of the mesh, or a policy of approver-policy", "%s is %s, %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	if c := meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionRotatingAuthority); c != nil {
		results = append(results, diagnosis.Warn("see `osm certificates`", "a rotation is in progress, in step %s: %s", c.Reason, c.Message))
	}
	return results
}

// expiry reports when something expires. It warns when less than the given validity is left.
func (s Subject) expiry(what string, end time.Time, least time.Duration, remedy string) diagnosis.Finding {
	date := end.UTC().Format(time.DateOnly)
	switch left := end.Sub(s.Now); {
	case left <= 0:
		return diagnosis.Fail(remedy, "%s expired on %s", what, date)
	case left < least:
		return diagnosis.Warn(remedy, "%s expires on %s", what, date)
	}
	return diagnosis.Pass("%s is valid until %s", what, date)
}

// issuerWarning is the remaining validity below which a certificate authority causes a warning. cert-manager renews one of 90 days when a
// third of that is left.
const issuerWarning = 28 * 24 * time.Hour
