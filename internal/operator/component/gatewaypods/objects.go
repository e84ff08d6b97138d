package gatewaypods

import (
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/component"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// DefaultReplicas is the default number of pods of a gateway.
const DefaultReplicas = 2

// Settings are those of a gateway. Unset ones have defaults, except Name.
type Settings struct {
	// Name is that of all objects.
	Name     string
	Replicas *int32
	// Scheduling is where the pods run.
	Scheduling v1alpha1.GatewaySchedulingSpec
	// Resources are those of Envoy.
	Resources *corev1.ResourceRequirements
}

// Kinds are the kinds of the objects of a gateway.
func Kinds() []component.Kind {
	return []component.Kind{
		component.V1("", "ServiceAccount", "serviceaccounts"),
		component.V1("", "Service", "services"),
		component.V1("apps", "Deployment", "deployments"),
		component.V1("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
	}
}

// Selector has the labels of the pods.
func (s Settings) Selector() map[string]string { return map[string]string{names.AppLabel: s.Name} }

// Meta is the metadata of the objects.
func (s Settings) Meta(mesh *v1alpha1.Mesh) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: component.Namespace(mesh), Name: s.Name}
}

// ServiceAccount is the identity of the gateway in the mesh.
func (s Settings) ServiceAccount(mesh *v1alpha1.Mesh) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: s.Meta(mesh)}
}

// DisruptionBudget permits the eviction of one pod at a time.
func (s Settings) DisruptionBudget(mesh *v1alpha1.Mesh) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, ObjectMeta: s.Meta(mesh),
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: s.Selector()}},
	}
}

func defaultResources() corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
	}
}
