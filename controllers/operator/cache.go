package operator

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/operator/mesh"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// cacheOptions keep in memory only what belongs to meshes: of all other pods, ConfigMaps and so on of a cluster the operator sees
// nothing.
func cacheOptions() cache.Options {
	ours := labels.NewSelector().Add(requirement(names.MeshLabel, selection.Exists))
	byObject := map[client.Object]cache.ByObject{
		&apiextensionsv1.CustomResourceDefinition{}: {
			Label: labels.SelectorFromSet(labels.Set{mesh.ManagedByLabel: mesh.ManagedByOperator}),
		},
		// Who owns which field of a MeshConfig decides what the operator may write.
		&configv1alpha2.MeshConfig{}: {Transform: func(object any) (any, error) { return object, nil }},
	}
	for _, kind := range []client.Object{
		&appsv1.Deployment{}, &corev1.ServiceAccount{}, &corev1.Service{}, &corev1.ConfigMap{}, &corev1.Pod{},
		&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}, &policyv1.PodDisruptionBudget{},
		&autoscalingv2.HorizontalPodAutoscaler{},
		&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{},
	} {
		byObject[kind] = cache.ByObject{Label: ours}
	}
	return cache.Options{DefaultTransform: cache.TransformStripManagedFields(), NewInformer: backoff.NewInformer, ByObject: byObject}
}

// requirement is a label requirement without values, which cannot be wrong.
func requirement(key string, operator selection.Operator) labels.Requirement {
	r, err := labels.NewRequirement(key, operator, nil)
	if err != nil {
		panic(err)
	}
	return *r
}
