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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// deletion deletes one part of a mesh, and returns how much of it was left.
type deletion struct {
	what string
	run  func(context.Context, *pass) (int, error)
}

// deletions are in order: webhooks first, so that no pod waits for a server that is gone, and the certificate authority last, so that
// nothing before it is without one.
func (r *Reconciler) deletions() []deletion {
	lists := func(lists ...client.ObjectList) func(context.Context, *pass) (int, error) {
		return func(ctx context.Context, p *pass) (int, error) {
			left, err := apply.DeleteLabelled(ctx, r.Client, p.mesh.Name, lists...)
			p.held = left.Held
			return left.Count, err
		}
	}
	return []deletion{
		{"the webhooks", lists(&admissionv1.MutatingWebhookConfigurationList{}, &admissionv1.ValidatingWebhookConfigurationList{})},
		{"the revisions of the control plane", lists(&v1alpha1.MeshRevisionList{})},
		{"the control plane", lists(&autoscalingv2.HorizontalPodAutoscalerList{}, &appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}, &corev1.ServiceList{},
			&rbacv1.ClusterRoleBindingList{}, &rbacv1.RoleBindingList{}, &rbacv1.ClusterRoleList{}, &rbacv1.RoleList{}, &corev1.ServiceAccountList{})},
		{"what pulls images", r.endPulls},
		{"the components", remainingComponents},
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

// endPulls removes what an upgrade in place has left, if it was interrupted.
func (r *Reconciler) endPulls(ctx context.Context, p *pass) (int, error) {
	return 0, r.Images.End(ctx, p.mesh, p.desired.Namespace)
}

// remainingComponents counts the components that another controller removes, with what their objects wait for.
func remainingComponents(_ context.Context, p *pass) (int, error) {
	for _, c := range p.mesh.Status.Components {
		if c.Reason == v1alpha1.ReasonDeleting && c.Message != "" {
			p.held = append(p.held, c.Name+": "+c.Message)
		}
	}
	return len(p.mesh.Status.Components), nil
}

// maxHeld is how many objects the message of a removal names.
const maxHeld = 5

// describeDeletion is what a removal does now, with the objects that keep it.
func describeDeletion(what string, held []string) string {
	text := "removing " + what
	if len(held) == 0 {
		return text
	}
	return message.ForCondition(text + ": waiting for " + strings.Join(message.First(held, maxHeld), "; "))
}

// deleteWebhooksWithoutServers deletes the webhooks of a mesh whose namespace is gone or being deleted, so that no pod waits for their
// servers.
func (r *Reconciler) deleteWebhooksWithoutServers(ctx context.Context, p *pass) error {
	namespace, err := r.Namespace(ctx, p.desired.Namespace)
	if err != nil || namespace != nil && namespace.DeletionTimestamp == nil {
		return err
	}
	_, err = apply.DeleteLabelled(ctx, r.Client, p.mesh.Name, &admissionv1.MutatingWebhookConfigurationList{},
		&admissionv1.ValidatingWebhookConfigurationList{})
	return err
}

// endTeardownMode removes the teardown mode from a MeshConfig that stays.
func (r *Reconciler) endTeardownMode(ctx context.Context, p *pass) (int, error) {
	live := &configv1alpha2.MeshConfig{}
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: p.desired.Namespace, Name: names.MeshConfig}, live); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	return 0, r.MeshConfigs.EndTeardown(ctx, p.mesh, live)
}

// deleteSecrets deletes Secrets that were made for the mesh.
func (r *Reconciler) deleteSecrets(desired ...string) func(context.Context, *pass) (int, error) {
	return func(ctx context.Context, p *pass) (int, error) {
		left := 0
		for _, name := range desired {
			secret, err := r.Secrets.Get(ctx, p.desired.Namespace, name)
			if err != nil {
				return left, err
			}
			if secret == nil || secret.Labels[names.MeshLabel] != p.mesh.Name {
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

// namespaceReader is the ClusterRole that allows to list objects of all kinds, and the name of its RoleBinding in docs/removal.md.
const namespaceReader = "osm-operator-namespace-reader"

// deletesNamespace reports whether a Mesh requests the deletion of its namespace.
func deletesNamespace(mesh *v1alpha1.Mesh) bool {
	return ptr.Deref(ptr.Deref(mesh.Spec.Removal, v1alpha1.RemovalSpec{}).Namespace, v1alpha1.NamespaceRetain) == v1alpha1.NamespaceDelete
}

// removeNamespace deletes the namespace of the mesh if the Mesh requests it, the operator created it, and it contains no other object.
// It does not wait for the end of the deletion, which takes as long as the last pod.
func (r *Reconciler) removeNamespace(ctx context.Context, p *pass) (int, error) {
	namespace := &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: p.desired.Namespace}, namespace); err != nil {
		return 0, client.IgnoreNotFound(err)
	}
	if namespace.Labels[names.MeshLabel] != p.mesh.Name || namespace.DeletionTimestamp != nil {
		return 0, nil
	}
	if !deletesNamespace(p.mesh) {
		r.keepNamespace(p, "spec.removal.namespace is Retain")
		return 0, nil
	}
	unmanaged, err := r.unmanagedObject(ctx, p)
	switch {
	case apierrors.IsForbidden(err):
		r.keepNamespace(p, fmt.Sprintf("the operator may not list all its objects, bind the ClusterRole %s to it first: %v", namespaceReader, err))
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("namespace %s cannot be deleted, because its objects are not known: correct this, or set spec.removal.namespace to Retain: %w", namespace.Name, err)
	case unmanaged != "":
		r.keepNamespace(p, "it has "+unmanaged+", which was not made for this mesh")
		return 0, nil
	}
	return 0, apply.Delete(ctx, r.Client, namespace)
}

// keepNamespace records why the namespace of the mesh remains.
func (r *Reconciler) keepNamespace(p *pass, reason string) {
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "NamespaceKept", "Remove", "kept namespace %s: %s", p.desired.Namespace, reason)
}

// deleteCertificates deletes the Certificates of certificate authorities. Otherwise cert-manager would issue their Secrets again. Those that
// cert-manager has never issued have no Secret.
func (r *Reconciler) deleteCertificates(ctx context.Context, p *pass) (int, error) {
	for _, name := range secrets.Issued() {
		certificate := certmanager.Reference(p.desired.Namespace, name)
		err := r.Live.Get(ctx, client.ObjectKeyFromObject(certificate), certificate)
		switch {
		case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
			continue
		case err != nil:
			return 0, fmt.Errorf("the Certificate %s/%s cannot be read: %w", p.desired.Namespace, name, err)
		case certificate.GetLabels()[names.MeshLabel] != p.mesh.Name:
			continue
		}
		if err := apply.Delete(ctx, r.Client, certificate); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// deleteGatewayCertificate deletes the Secret of the ingress gateway, whose name the MeshConfig declares. The removal goes on if the operator has
// no permission for it any more.
func (r *Reconciler) deleteGatewayCertificate(ctx context.Context, p *pass) (int, error) {
	if p.mesh.Status.Certificates == nil || p.mesh.Status.Certificates.IngressGateway == nil {
		return 0, nil
	}
	declared := p.mesh.Status.Certificates.IngressGateway
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: declared.Namespace, Name: declared.Name}, secret)
	if err == nil && secret.Labels[names.MeshLabel] != p.mesh.Name {
		return 0, nil
	}
	if err == nil {
		err = apply.Delete(ctx, r.Client, secret)
	}
	if apierrors.IsForbidden(err) {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "CertificateKept", "Remove", "kept Secret %s/%s: %v", declared.Namespace, declared.Name, err)
		return 0, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return 0, fmt.Errorf("the Secret %s/%s of the ingress gateway cannot be deleted: %w", declared.Namespace, declared.Name, err)
	}
	return 0, nil
}
