package checks

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// ControlPlane says whether the control plane of a mesh works.
func (s Subject) ControlPlane(ctx context.Context) []Group {
	groups := []Group{
		{"Operator", []Result{s.deployment(ctx, names.OperatorNamespace, "osm-operator")}},
		{"Mesh " + s.Mesh, append(s.mesh(ctx), s.meshConfig(ctx))},
		{"Control plane", []Result{
			s.deployment(ctx, s.Namespace, names.Controller), s.deployment(ctx, s.Namespace, names.Injector),
			s.answering(ctx, names.Controller), s.answering(ctx, names.Injector),
			s.endpoints(ctx, names.Controller), s.endpoints(ctx, names.Injector), s.endpoints(ctx, names.Validator),
		}},
		{"Webhooks", []Result{s.injectorWebhook(ctx), s.validatorWebhook(ctx)}},
	}
	if s.Beside == "" {
		return groups
	}
	controller, injector := names.Beside(names.Controller, s.Beside), names.Beside(names.Injector, s.Beside)
	return append(groups, Group{"Control plane of the canary", []Result{
		s.deployment(ctx, s.Namespace, controller), s.deployment(ctx, s.Namespace, injector),
		s.answering(ctx, controller), s.answering(ctx, injector),
		s.endpoints(ctx, controller), s.endpoints(ctx, injector),
	}})
}

func (s Subject) deployment(ctx context.Context, namespace, name string) Result {
	d := &appsv1.Deployment{}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, d)
	if apierrors.IsNotFound(err) {
		return failed("see `kubectl get mesh` for what the operator says; without an operator, install it with `osm install --operator`",
			"the Deployment %s does not exist in namespace %s", name, namespace)
	}
	if err != nil {
		return unread(fmt.Sprintf("the Deployment %s in namespace %s", name, namespace), err)
	}
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	if d.Status.ReadyReplicas < wanted || wanted == 0 {
		return failed(fmt.Sprintf("see why: kubectl -n %s describe pods -l app=%s", namespace, name), "%s: %d of %s ready", name, d.Status.ReadyReplicas, counted(int(wanted), "pod"))
	}
	return ok("%s: %s ready", name, counted(int(wanted), "pod"))
}

func (s Subject) mesh(ctx context.Context) []Result {
	m := &v1alpha1.Mesh{}
	err := s.Client.Get(ctx, client.ObjectKey{Name: s.Mesh}, m)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return []Result{failed("make one with `osm install`", "no Mesh %s is declared", s.Mesh)}
	}
	if err != nil {
		return []Result{unread("the Mesh "+s.Mesh, err)}
	}
	var results []Result
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionConfigurationAccepted} {
		c := meta.FindStatusCondition(m.Status.Conditions, kind)
		switch {
		case c == nil:
			results = append(results, failed("see the operator: kubectl -n "+names.OperatorNamespace+" logs deploy/osm-operator", "the operator has not judged %s yet", kind))
		case c.Status == metav1.ConditionTrue:
			results = append(results, ok("%s: %s", kind, c.Message))
		case kind == v1alpha1.ConditionConfigurationAccepted:
			results = append(results, warning("", "%s: %s", c.Reason, c.Message))
		default:
			results = append(results, failed("", "%s is %s, %s: %s", kind, c.Status, c.Reason, c.Message))
		}
	}
	return results
}

func (s Subject) meshConfig(ctx context.Context) Result {
	m := &configv1alpha2.MeshConfig{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: names.MeshConfig}, m); err != nil {
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return failed("the operator makes it again within seconds; if not, see its log", "the MeshConfig %s does not exist in namespace %s", names.MeshConfig, s.Namespace)
		}
		return unread("the MeshConfig", err)
	}
	mode := "what no policy allows is denied"
	if m.Spec.Traffic.EnablePermissiveTrafficPolicyMode {
		mode = "permissive: every workload of the mesh may call every other"
	}
	return ok("MeshConfig %s/%s: %s", s.Namespace, names.MeshConfig, mode)
}

// answering asks every pod of a component whether it is ready.
func (s Subject) answering(ctx context.Context, component string) Result {
	var pods corev1.PodList
	if err := s.Client.List(ctx, &pods, client.InNamespace(s.Namespace), client.MatchingLabels{names.AppLabel: component}); err != nil {
		return unread("the pods of "+component, err)
	}
	asked := 0
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil {
			continue
		}
		asked++
		if err := s.Ask(ctx, s.Namespace, p.Name, names.HealthPort, "/health/ready"); err != nil {
			return failed(fmt.Sprintf("see its log: kubectl -n %s logs %s", s.Namespace, p.Name), "pod %s does not say that it is ready: %v", p.Name, err)
		}
	}
	if asked == 0 {
		return failed(fmt.Sprintf("see why: kubectl -n %s describe pods -l app=%s", s.Namespace, component), "no pod of %s is running", component)
	}
	return ok("%s answers its health probes (%s)", component, counted(asked, "pod"))
}

func (s Subject) endpoints(ctx context.Context, service string) Result {
	var slices discoveryv1.EndpointSliceList
	if err := s.Client.List(ctx, &slices, client.InNamespace(s.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service}); err != nil {
		return unread("the endpoints of Service "+service, err)
	}
	ready := 0
	for i := range slices.Items {
		for _, e := range slices.Items[i].Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready++
			}
		}
	}
	if ready == 0 {
		return failed("", "the Service %s/%s leads to no ready pod", s.Namespace, service)
	}
	return ok("the Service %s/%s leads to %s", s.Namespace, service, counted(ready, "ready pod"))
}

func (s Subject) injectorWebhook(ctx context.Context) Result {
	name := names.MutatingWebhook(s.Mesh)
	w := &admissionv1.MutatingWebhookConfiguration{}
	if err := s.Client.Get(ctx, client.ObjectKey{Name: name}, w); err != nil {
		return missingWebhook(name, "pods get no sidecar", err)
	}
	for _, one := range w.Webhooks {
		if len(one.ClientConfig.CABundle) == 0 {
			return failed("the operator fills it in when the injector serves; see `kubectl get mesh`", "the webhook %s trusts no certificate yet, so the API server cannot call it", name)
		}
	}
	return ok("%s injects sidecars", name)
}

func (s Subject) validatorWebhook(ctx context.Context) Result {
	name := names.ValidatingWebhook(s.Mesh)
	w := &admissionv1.ValidatingWebhookConfiguration{}
	if err := s.Client.Get(ctx, client.ObjectKey{Name: name}, w); err != nil {
		return missingWebhook(name, "broken policies are not refused", err)
	}
	for _, one := range w.Webhooks {
		if len(one.ClientConfig.CABundle) == 0 {
			return failed("the operator fills it in when the controller serves; see `kubectl get mesh`", "the webhook %s trusts no certificate yet, so the API server cannot call it", name)
		}
	}
	return ok("%s checks policies", name)
}

func missingWebhook(name, consequence string, err error) Result {
	if apierrors.IsNotFound(err) {
		return failed("the operator makes it when the control plane is ready; see `kubectl get mesh`", "the webhook %s does not exist: %s", name, consequence)
	}
	return unread("the webhook "+name, err)
}
