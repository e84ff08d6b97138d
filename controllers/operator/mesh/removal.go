package mesh

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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// removalStep takes one part of a mesh away, and says how much of it is left.
type removalStep struct {
	what string
	run  func(context.Context, *scope) (int, error)
}

// removal lists the steps in their order: webhooks first, so that no pod waits for a server that is gone, and the certificate
// authority last, so that nothing before it is without one.
func (r *Reconciler) removal() []removalStep {
	lists := func(lists ...client.ObjectList) func(context.Context, *scope) (int, error) {
		return func(ctx context.Context, s *scope) (int, error) { return r.deleteAll(ctx, s, lists...) }
	}
	return []removalStep{
		{"the webhooks", lists(&admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{})},
		{"the revisions of the control plane", lists(&v1alpha1.MeshRevisionList{})},
		{"the control plane", lists(&autoscalingv2.HorizontalPodAutoscalerList{}, &appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.ServiceList{},
			&rbacv1.ClusterRoleBindingList{}, &rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleList{}, &rbacv1.RoleList{}, &corev1.ServiceAccountList{})},
		{"the trust of the namespaces", lists(&corev1.ConfigMapList{})},
		{"the MeshConfig", lists(&configv1alpha2.MeshConfigList{})},
		{"what the operator wrote into the MeshConfig", r.quiet},
		{"the certificates of the webhooks", r.deleteSecrets(secrets.InjectorCert, secrets.CanaryCert, secrets.ValidatorCert)},
		{"the certificate authority", r.deleteSecrets(names.CABundleSecret)},
		{"the namespace", r.deleteNamespace},
	}
}

// deleteAll deletes the objects of some kinds that were made for the mesh. Only those carry its label: what users made stays.
func (r *Reconciler) deleteAll(ctx context.Context, s *scope, lists ...client.ObjectList) (int, error) {
	left := 0
	for _, list := range lists {
		if err := r.Client.List(ctx, list, client.MatchingLabels{names.MeshLabel: s.mesh.Name}); err != nil {
			return left, fmt.Errorf("what was made for the mesh cannot be listed: %w", err)
		}
		items, err := meta.ExtractList(list)
		if err != nil {
			return left, err
		}
		for _, item := range items {
			object, ok := item.(client.Object)
			if !ok {
				continue
			}
			left++
			if err := r.deleteOne(ctx, object); err != nil {
				return left, err
			}
		}
	}
	return left, nil
}

// unhook deletes the webhooks of a mesh whose namespace goes, and its servers with it. Their owner is that namespace, which may last for
// long while it goes; no pod shall wait for it.
func (r *Reconciler) unhook(ctx context.Context, s *scope) error {
	_, err := r.deleteAll(ctx, s, &admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{})
	return err
}

// unhookWithoutServers does it while a mesh is removed that no longer has its namespace.
func (r *Reconciler) unhookWithoutServers(ctx context.Context, s *scope) error {
	home := &corev1.Namespace{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: s.wanted.Namespace}, home)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("the namespace %s cannot be read: %w", s.wanted.Namespace, err)
	}
	if err == nil && home.DeletionTimestamp == nil {
		return nil
	}
	return r.unhook(ctx, s)
}

// deleteOne deletes an object, once.
func (r *Reconciler) deleteOne(ctx context.Context, object client.Object) error {
	if object.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := object.GetUID()
	err := r.Client.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s %s cannot be deleted: %w", object.GetObjectKind().GroupVersionKind().Kind, object.GetName(), err)
	}
	return nil
}

// quiet takes from a MeshConfig that stays what was said to control planes while the sidecars were taken out.
func (r *Reconciler) quiet(ctx context.Context, s *scope) (int, error) {
	live := &configv1alpha2.MeshConfig{}
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.wanted.Namespace, Name: names.MeshConfig}, live); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	return 0, r.stay(ctx, s, live)
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
			if err := r.deleteOne(ctx, secret); err != nil {
				return left, err
			}
		}
		return left, nil
	}
}

// deleteNamespace deletes the namespace if it was made for the mesh and nobody put anything else into it. It does not wait for the
// end: that takes as long as the last pod.
func (r *Reconciler) deleteNamespace(ctx context.Context, s *scope) (int, error) {
	home := &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.wanted.Namespace}, home); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	if !madeNamespace(s, home) || home.DeletionTimestamp != nil {
		return 0, nil
	}
	guest, err := r.guest(ctx, s)
	if err != nil {
		return 0, err
	}
	if guest != "" {
		r.say(s, corev1.EventTypeNormal, "NamespaceKept", "Remove", "kept namespace %s: it has %s, which was not made for this mesh", home.Name, guest)
		return 0, nil
	}
	return 0, r.deleteOne(ctx, home)
}

// guestKinds are what users put into namespaces and the operator may list. Secrets are not among them: the operator may not list them.
func guestKinds() []schema.GroupVersionKind {
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

// guest names something in the namespace of the mesh that was not made for it, or nothing.
func (r *Reconciler) guest(ctx context.Context, s *scope) (string, error) {
	for _, gvk := range guestKinds() {
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

// madeByKubernetes says whether an object is in every namespace.
func madeByKubernetes(kind, name string) bool {
	return kind == "ConfigMap" && name == "kube-root-ca.crt" || kind == "ServiceAccount" && name == "default"
}

// notFinished selects pods that run or will.
func notFinished() client.ListOption {
	return client.MatchingFieldsSelector{Selector: fields.AndSelectors(
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodSucceeded)),
		fields.OneTermNotEqualSelector("status.phase", string(corev1.PodFailed)),
	)}
}
