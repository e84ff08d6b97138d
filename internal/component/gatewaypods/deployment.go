package gatewaypods

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/component"
	"github.com/openservicemesh/osm-operator/internal/inject"
)

// gracePeriodSeconds is more than the drain container takes.
const gracePeriodSeconds = 75

// Deployment replaces pods one by one, and each only after its successor is ready.
func (s Settings) Deployment(mesh *v1alpha1.Mesh, active component.ControlPlane) (*appsv1.Deployment, error) {
	pod, err := s.pod(mesh, active)
	if err != nil {
		return nil, err
	}
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: s.Meta(mesh),
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(ptr.Deref(s.Replicas, DefaultReplicas)),
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: ptr.To(intstr.FromInt32(0)), MaxSurge: ptr.To(intstr.FromInt32(1))},
			},
			Selector: &metav1.LabelSelector{MatchLabels: s.Selector()},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: s.Selector()}, Spec: pod},
		},
	}, nil
}

func (s Settings) pod(mesh *v1alpha1.Mesh, active component.ControlPlane) (corev1.PodSpec, error) {
	parameters := active.Parameters
	pod, err := inject.GatewayPod(inject.GatewayConfig{
		Mesh: mesh.Name, Namespace: parameters.Namespace, TrustDomain: parameters.TrustDomain, Name: s.Name,
		Resources:  ptr.Deref(s.Resources, defaultResources()),
		EnvoyImage: parameters.Images.Sidecar, InitImage: parameters.Images.Init,
	})
	if err != nil {
		return corev1.PodSpec{}, err
	}
	maps.Copy(pod.NodeSelector, s.NodeSelector)
	pod.TerminationGracePeriodSeconds = ptr.To(int64(gracePeriodSeconds))
	for _, name := range parameters.Scheduling.PullSecrets {
		pod.ImagePullSecrets = append(pod.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	pod.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: s.Selector()},
	}}
	return pod, nil
}
