package teardown

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// deletion deletes one part of a mesh, and returns how much of it was left.
type deletion struct {
	what string
	run  func(context.Context, *scope) (int, error)
}

// deletions are in order: webhooks first, so that no pod waits for a server that is gone, and the certificate authority last, so that
// nothing before it is without one.
func (r *Reconciler) deletions() []deletion {
	lists := func(lists ...client.ObjectList) func(context.Context, *scope) (int, error) {
		return func(ctx context.Context, s *scope) (int, error) {
			return apply.DeleteLabelled(ctx, r.Client, s.mesh.Name, lists...)
		}
	}
	return []deletion{
		{"the webhooks", lists(&admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{})},
		{"the revisions of the control plane", lists(&v1alpha1.MeshRevisionList{})},
		{"the control plane", lists(&autoscalingv2.HorizontalPodAutoscalerList{}, &appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.ServiceList{},
			&rbacv1.ClusterRoleBindingList{}, &rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleList{}, &rbacv1.RoleList{}, &corev1.ServiceAccountList{})},
		{"the components", func(_ context.Context, s *scope) (int, error) { return len(s.mesh.Status.Components), nil }},
		{"the trust of the namespaces", lists(&corev1.ConfigMapList{})},
		{"the MeshConfig", lists(&configv1alpha2.MeshConfigList{})},
		{"what the operator wrote into the MeshConfig", r.endTeardownMode},
		{"the certificates of the webhooks", r.deleteSecrets(secrets.InjectorCert, secrets.CanaryCert, secrets.ValidatorCert)},
		{"the certificate authority", r.deleteSecrets(names.CABundleSecret)},
		{"the namespace", r.deleteNamespace},
	}
}

// deleteWebhooksWithoutServers deletes the webhooks of a mesh whose namespace is gone or being deleted, so that no pod waits for their
// servers.
func (r *Reconciler) deleteWebhooksWithoutServers(ctx context.Context, s *scope) error {
	home, err := r.Namespace(ctx, s.wanted.Namespace)
	if err != nil || home != nil && home.DeletionTimestamp == nil {
		return err
	}
	_, err = apply.DeleteLabelled(ctx, r.Client, s.mesh.Name, &admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{})
	return err
}

// endTeardownMode removes the teardown mode from a MeshConfig that stays.
func (r *Reconciler) endTeardownMode(ctx context.Context, s *scope) (int, error) {
	live := &configv1alpha2.MeshConfig{}
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.wanted.Namespace, Name: names.MeshConfig}, live); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	return 0, r.MeshConfigs.EndTeardown(ctx, s.mesh, live)
}

// deleteSecrets deletes Secrets that were made for the mesh.
func (r *Reconciler) deleteSecrets(wanted ...string) func(context.Context, *scope) (int, error) {
	return func(ctx context.Context, s *scope) (int, error) {
		left := 0
		for _, name := range wanted {
			secret, err := r.Secrets.Get(ctx, s.wanted.Namespace, name)
			if err != nil {
				return left, err
			}
			if secret == nil || secret.Labels[names.MeshLabel] != s.mesh.Name {
				continue
			}
			left++
			if err := apply.Delete(ctx, r.Client, secret); err != nil {
				return left, err
			}
		}
		return left, nil
	}
}

// deleteNamespace deletes the namespace if it was made for the mesh and holds nothing else. It does not wait for the end, which takes
// as long as the last pod.
func (r *Reconciler) deleteNamespace(ctx context.Context, s *scope) (int, error) {
	home := &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.wanted.Namespace}, home); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	if home.Labels[names.MeshLabel] != s.mesh.Name || home.DeletionTimestamp != nil {
		return 0, nil
	}
	foreign, err := r.foreignObject(ctx, s)
	if err != nil {
		return 0, err
	}
	if foreign != "" {
		r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeNormal, "NamespaceKept", "Remove", "kept namespace %s: it has %s, which was not made for this mesh", home.Name, foreign)
		return 0, nil
	}
	return 0, apply.Delete(ctx, r.Client, home)
}

// foreignKinds are what users create in namespaces and the operator may list. Secrets are not among them: the operator may not list them.
func foreignKinds() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Pod"),
		corev1.SchemeGroupVersion.WithKind("Service"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"),
		corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"),
		appsv1.SchemeGroupVersion.WithKind("Deployment"),
		appsv1.SchemeGroupVersion.WithKind("StatefulSet"),
		appsv1.SchemeGroupVersion.WithKind("DaemonSet"),
		configv1alpha2.GroupVersion.WithKind("MeshConfig"),
	}
}

// foreignObject names something in the namespace of the mesh that was not made for it, or nothing.
func (r *Reconciler) foreignObject(ctx context.Context, s *scope) (string, error) {
	for _, gvk := range foreignKinds() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := r.Live.List(ctx, list, client.InNamespace(s.wanted.Namespace)); err != nil {
			return "", fmt.Errorf("it cannot be found out whether the namespace %s may be deleted: %w", s.wanted.Namespace, err)
		}
		for i := range list.Items {
			item := &list.Items[i]
			if item.Labels[names.MeshLabel] == s.mesh.Name || madeByKubernetes(gvk.Kind, item.Name) {
				continue
			}
			return strings.ToLower(gvk.Kind) + " " + item.Name, nil
		}
	}
	return "", nil
}

// madeByKubernetes is true for an object that is in every namespace.
func madeByKubernetes(kind, name string) bool {
	return kind == "ConfigMap" && name == "kube-root-ca.crt" || kind == "ServiceAccount" && name == "default"
}
