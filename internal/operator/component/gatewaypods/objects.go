package gatewaypods

import (
	"cmp"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/injector/drain"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// DefaultReplicas is the default number of pods of a gateway.
const DefaultReplicas = 2

// Settings are those of a gateway. Unset ones have defaults, except Name and ServiceAccount.
type Settings struct {
	// Name is that of all objects.
	Name string
	// ServiceAccount is the identity of the pods. It is one of the objects only if it has their name.
	ServiceAccount string
	// Labels are those of the objects and the pods.
	Labels map[string]string
	// Listeners are the names of the listeners for clients.
	Listeners []string
	// DrainDelay is how long a pod that stops accepts connections, unless Pods declares it; 0 for drain.DefaultDelay.
	DrainDelay time.Duration
	// Pods are what the Mesh declares about the pods.
	Pods v1alpha1.GatewayPodsSpec
}

// Kinds are the kinds of the objects of a gateway.
func Kinds() []component.Kind {
	return []component.Kind{
		component.V1("", "ServiceAccount", "serviceaccounts"),
		component.V1("", "Service", "services"),
		component.V1("apps", "Deployment", "deployments"),
		component.V1("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
		{GroupVersionKind: autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"), Resource: "horizontalpodautoscalers"},
	}
}

// Selector has the labels of the pods.
func (s Settings) Selector() map[string]string { return map[string]string{names.AppLabel: s.Name} }

// podLabels are those of the pods: Labels, and those of the Selector.
func (s Settings) podLabels() map[string]string {
	labels := s.Selector()
	maps.Copy(labels, s.Labels)
	return labels
}

func (s Settings) meta(mesh *v1alpha1.Mesh) metav1.ObjectMeta {
	meta := component.Meta(mesh, s.Name)
	meta.Labels = maps.Clone(s.Labels)
	return meta
}

// disruptionBudget permits the eviction of one pod at a time.
func (s Settings) disruptionBudget(mesh *v1alpha1.Mesh) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: s.meta(mesh),
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: s.Selector()}},
	}
}

// Objects are those of a gateway, with its Service.
func (s Settings) Objects(inputs component.Inputs, service *corev1.Service) ([]*unstructured.Unstructured, error) {
	deployment, err := s.deployment(inputs)
	if err != nil {
		return nil, err
	}
	objects := []client.Object{service, deployment, s.disruptionBudget(inputs.Mesh)}
	if s.ServiceAccount == s.Name {
		objects = slices.Insert(objects, 0, client.Object(component.ServiceAccount(inputs.Mesh, s.Name)))
	}
	if autoscaler := s.autoscaler(inputs.Mesh); autoscaler != nil {
		objects = append(objects, autoscaler)
	}
	all, err := component.Labelled(inputs, objects...)
	if err != nil || s.Pods.Overlay == nil {
		return all, err
	}
	for _, object := range all {
		if object.GetKind() == "Deployment" {
			err = operand.Overlay(object, s.Pods.Overlay.Raw)
		}
	}
	return all, err
}

// replicas is the number of pods; nil if an autoscaler sets it. Then the applier keeps the present number.
func (s Settings) replicas() *int32 {
	if s.Pods.Autoscaling != nil {
		return nil
	}
	return ptr.To(ptr.Deref(s.Pods.Replicas, DefaultReplicas))
}

// autoscaler sets the number of pods by their CPU usage; nil without autoscaling.
func (s Settings) autoscaler(mesh *v1alpha1.Mesh) *autoscalingv2.HorizontalPodAutoscaler {
	declared := s.Pods.Autoscaling
	if declared == nil {
		return nil
	}
	return &autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta: metav1.TypeMeta{APIVersion: autoscalingv2.SchemeGroupVersion.String(), Kind: "HorizontalPodAutoscaler"}, ObjectMeta: s.meta(mesh),
		Spec: operand.AutoscalerSpec(s.Name, operand.Autoscaling{
			Min: ptr.Deref(declared.MinReplicas, v1alpha1.DefaultReplicas), Max: declared.MaxReplicas,
			CPU: ptr.Deref(declared.TargetCPUUtilizationPercentage, v1alpha1.DefaultTargetCPUUtilizationPercentage),
		}),
	}
}

// graceMargin is for what follows after a drain.
const graceMargin = 15 * time.Second

// drainDelay is how long a pod that stops accepts connections; 0 for drain.DefaultDelay.
func (s Settings) drainDelay() time.Duration {
	return s.Pods.DrainDelay.ValueOr(s.DrainDelay)
}

// gracePeriodSeconds is more than the drain container takes.
func (s Settings) gracePeriodSeconds() int64 {
	return int64((cmp.Or(s.drainDelay(), drain.DefaultDelay) + drain.RequestTimeout + graceMargin).Seconds())
}

// minReadySeconds is how long a new pod must stay ready before an earlier one stops.
const minReadySeconds = 10

// deployment replaces pods one by one, and each only after its successor is ready.
func (s Settings) deployment(inputs component.Inputs) (*appsv1.Deployment, error) {
	pod, err := s.pod(inputs)
	if err != nil {
		return nil, err
	}
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: s.meta(inputs.Mesh),
		Spec: appsv1.DeploymentSpec{
			Replicas: s.replicas(),
			Strategy: component.RollingUpdate(),
			// An Envoy that ends with its first requests replaces no other one.
			MinReadySeconds: minReadySeconds,
			Selector:        &metav1.LabelSelector{MatchLabels: s.Selector()},
			Template:        corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: s.podLabels()}, Spec: pod},
		},
	}, nil
}

// pod has the images of injected pods.
func (s Settings) pod(inputs component.Inputs) (corev1.PodSpec, error) {
	parameters := inputs.ControlPlanes[0].Parameters
	pod, err := inject.GatewayPod(inject.GatewayConfig{
		Mesh: inputs.Mesh.Name, Namespace: parameters.Namespace, TrustDomain: parameters.TrustDomain, Name: s.Name,
		ServiceAccount: s.ServiceAccount, Listeners: s.Listeners,
		DrainDelay: s.drainDelay(),
		Resources:  ptr.Deref(s.Pods.Resources, component.Resources("100m", "128Mi", "512Mi")),
		EnvoyImage: cmp.Or(ptr.Deref(s.Pods.Image, ""), inputs.EnvoyImage, parameters.Images.Sidecar), InitImage: cmp.Or(inputs.InitImage, parameters.Images.Init),
	})
	if err != nil {
		return corev1.PodSpec{}, err
	}
	pod.TerminationGracePeriodSeconds = ptr.To(s.gracePeriodSeconds())
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
	}}
	scheduling := component.Scheduling(inputs.Mesh, s.Pods.SchedulingSpec)
	scheduling.Spread = s.Pods.TopologySpreadConstraints
	return operand.Schedule(pod, s.Selector(), scheduling)
}
