package gatewaypods

import (
	"cmp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
)

// gracePeriodSeconds is more than the drain container takes.
const gracePeriodSeconds = 75

// minReadySeconds is how long a new pod must stay ready before an earlier one stops.
const minReadySeconds = 10

// Deployment replaces pods one by one, and each only after its successor is ready.
func (s Settings) Deployment(inputs component.Inputs) (*appsv1.Deployment, error) {
	pod, err := s.pod(inputs)
	if err != nil {
		return nil, err
	}
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: s.Meta(inputs.Mesh),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(ptr.Deref(s.Replicas, DefaultReplicas)),
			Strategy: component.RollingUpdate(),
			// An Envoy that ends with its first requests replaces no other one.
			MinReadySeconds: minReadySeconds,
			Selector:        &metav1.LabelSelector{MatchLabels: s.Selector()},
			Template:        corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: s.Selector()}, Spec: pod},
		},
	}, nil
}

// pod has the images of injected pods.
func (s Settings) pod(inputs component.Inputs) (corev1.PodSpec, error) {
	parameters := inputs.ControlPlanes[0].Parameters
	pod, err := inject.GatewayPod(inject.GatewayConfig{
		Mesh: inputs.Mesh.Name, Namespace: parameters.Namespace, TrustDomain: parameters.TrustDomain, Name: s.Name,
		Resources:  ptr.Deref(s.Resources, defaultResources()),
		EnvoyImage: cmp.Or(inputs.EnvoyImage, parameters.Images.Sidecar), InitImage: cmp.Or(inputs.InitImage, parameters.Images.Init),
	})
	if err != nil {
		return corev1.PodSpec{}, err
	}
	pod.TerminationGracePeriodSeconds = ptr.To(int64(gracePeriodSeconds))
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
	}}
	return operand.Schedule(pod, s.Selector(), operand.Scheduling{
		PriorityClass: ptr.Deref(s.Scheduling.PriorityClassName, ""), NodeSelector: s.Scheduling.NodeSelector, Tolerations: s.Scheduling.Tolerations,
		Affinity: s.Scheduling.Affinity, Spread: s.Scheduling.TopologySpreadConstraints, PullSecrets: parameters.Scheduling.PullSecrets,
	})
}
