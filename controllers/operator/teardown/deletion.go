package teardown

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
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
		{"the certificate of the ingress gateway", r.deleteGatewayCertificate},
		{"the Certificates of cert-manager", r.deleteCertificates},
		{"the certificate authority", r.deleteSecrets(append(secrets.Issued(), names.ActiveCASecret, names.CABundleSecret)...)},
		{"the namespace", r.removeNamespace},
	}
}

// deleteWebhooksWithoutServers deletes the webhooks of a mesh whose namespace is gone or being deleted, so that no pod waits for their
// servers.
func (r *Reconciler) deleteWebhooksWithoutServers(ctx context.Context, s *scope) error {
	namespace, err := r.Namespace(ctx, s.desired.Namespace)
	if err != nil || namespace != nil && namespace.DeletionTimestamp == nil {
		return err
	}
	_, err = apply.DeleteLabelled(ctx, r.Client, s.mesh.Name, &admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{})
	return err
}

// endTeardownMode removes the teardown mode from a MeshConfig that stays.
func (r *Reconciler) endTeardownMode(ctx context.Context, s *scope) (int, error) {
	live := &configv1alpha2.MeshConfig{}
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: s.desired.Namespace, Name: names.MeshConfig}, live); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	return 0, r.MeshConfigs.EndTeardown(ctx, s.mesh, live)
}

// deleteSecrets deletes Secrets that were made for the mesh.
func (r *Reconciler) deleteSecrets(desired ...string) func(context.Context, *scope) (int, error) {
	return func(ctx context.Context, s *scope) (int, error) {
		left := 0
		for _, name := range desired {
			secret, err := r.Secrets.Get(ctx, s.desired.Namespace, name)
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
