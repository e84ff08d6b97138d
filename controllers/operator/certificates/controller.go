package certificates

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/status"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Reconciler keeps the certificates of meshes. All fields are required.
type Reconciler struct {
	*observe.Cluster
	// Applier writes what is rendered.
	Applier *apply.Applier
	// Recorder records Events about a Mesh.
	Recorder events.EventRecorder
	// Status writes the status of a Mesh.
	Status status.Writer
	// Replicas observes control planes during a rotation.
	Replicas Replicas
	// Sidecars lists the sidecars during a rotation.
	Sidecars Sidecars
	// Vault has authorities signed by a Vault.
	Vault VaultSigner
	// Tokens returns tokens of the operator's ServiceAccount for an audience.
	Tokens func(ctx context.Context, audience string) (string, error)
	// Jitter returns random numbers in [0, 1) that spread the requests to issuers.
	Jitter func() float64
	// MountDelay is how long it takes at most until pods have changed files.
	MountDelay time.Duration
}

// pass is the shared state of the steps of one reconciliation.
type pass struct {
	enqueue.Schedule
	mesh    *v1alpha1.Mesh
	desired desired.Mesh
	// namespace is that of the mesh.
	namespace *corev1.Namespace
	revisions []v1alpha1.MeshRevision
	// root is the active certificate authority.
	root *certificate.Root
	// problem is why the desired certificate authority cannot be used.
	problem error
	// rotation is the step of a rotation; nil without one.
	rotation *rotation.Decision
	// bundles are what the API server is to trust.
	bundles webhooks.Bundles
	// gateway is the certificate of the ingress gateway; nil if the MeshConfig requests none.
	gateway *gateway
	// serving is when the certificates of the webhooks expire, by Secret.
	serving map[string]time.Time
	// delegation is what the external issuer does; nil with the built-in provider.
	delegation *delegation
	// issuedDomain is the trust domain in which the desired authority should issue, and acceptedDomains those that the mesh should accept.
	issuedDomain    string
	acceptedDomains []string
	// declared are the MeshRootCertificates, oldest first.
	declared []declared
	// notes are sentences for the condition.
	notes []string
	// shared is why all namespaces can get certificates of an issuer of the mesh; empty if they cannot.
	shared string
}

// SetupWithManager watches Meshes, their Secrets, and what the certificates depend on.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	mapper := enqueue.Mapper{Cluster: r.Cluster}
	b := enqueue.NewController(mgr, "certificates", enqueue.MeshChanges(v1alpha1.ConditionInstalled)).Watches(&corev1.Namespace{}, mapper.ByNamespace())
	enqueue.Watch(b, enqueue.ByMeshLabel(), &v1alpha1.MeshRevision{},
		&admissionv1.MutatingWebhookConfiguration{}, &admissionv1.ValidatingWebhookConfiguration{})
	enqueue.Watch(b, mapper.BySiblings(), &configv1alpha2.MeshConfig{}, &configv1alpha2.MeshRootCertificate{})
	return enqueue.Complete(b, r.Client, r, r.Secrets.Sources(mapper.BySecret)...)
}

// Reconcile keeps the certificates of one mesh, and writes the condition CertificatesReady.
func (r *Reconciler) Reconcile(ctx context.Context, mesh *v1alpha1.Mesh) (reconcile.Result, error) {
	desired := r.Desired(mesh)
	p := &pass{mesh: mesh, desired: desired, issuedDomain: desired.TrustDomain, bundles: webhooks.Bundles{}, serving: map[string]time.Time{}}
	maintained, err := r.NeedsMaintenance(ctx, mesh)
	if err == nil && maintained {
		err = r.renew(ctx, p)
	}
	if err := errors.Join(err, r.writeCondition(ctx, p, maintained, err), r.writeStates(ctx, p)); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: p.Requeue}, nil
}

// renew brings all certificates of a mesh up to date, in the order in which they depend on each other.
func (r *Reconciler) renew(ctx context.Context, p *pass) error {
	var err error
	if p.namespace, err = r.Namespace(ctx, p.desired.Namespace); err != nil {
		return err
	}
	if p.revisions, err = r.Revisions(ctx, p.mesh.Name); err != nil {
		return err
	}
	if p.bundles, err = webhooks.ReadBundles(ctx, r.Secrets, p.desired.Namespace); err != nil {
		return err
	}
	for _, step := range []func(context.Context, *pass) error{
		r.reconcileRoot, r.observeIssuance, r.observeSharing, r.reconcileServing, r.reconcileCanary, r.widenTrust, r.reconcileGateway, r.collectWarnings,
	} {
		if err := step(ctx, p); err != nil {
			return err
		}
	}
	return p.problem
}

// reconcileServing keeps the certificates of the mesh's own webhooks. Both are signed by the root of the mesh, so a new certificate
// needs no new trust as long as the root stays.
func (r *Reconciler) reconcileServing(ctx context.Context, p *pass) error {
	for _, served := range []struct{ secret, service string }{
		{secrets.InjectorCert, names.Injector}, {secrets.ValidatorCert, names.Validator},
	} {
		if err := r.renewServing(ctx, p, served.secret, served.service+"."+p.desired.Namespace+".svc"); err != nil {
			return err
		}
	}
	return nil
}

// reconcileCanary keeps the certificate of the canary's injector, and deletes it after the last canary.
func (r *Reconciler) reconcileCanary(ctx context.Context, p *pass) error {
	chosen, err := r.ChosenName(ctx, p.mesh, p.revisions)
	if err != nil {
		return err
	}
	canary := observe.NextCanary(p.mesh, chosen, p.revisions)
	if canary != "" {
		service := names.WithSuffix(names.Injector, names.CanarySuffix(p.mesh.Name, canary))
		return r.renewServing(ctx, p, secrets.CanaryCert, service+"."+p.desired.Namespace+".svc")
	}
	injection, err := webhooks.LiveInjection(ctx, r.Client, p.mesh.Name)
	if err != nil || injection.Revision != "" || observe.ModeOf(p.mesh) != observe.Apply {
		return err
	}
	secret, err := r.Secrets.Get(ctx, p.desired.Namespace, secrets.CanaryCert)
	if err != nil || secret == nil || secret.Labels[names.MeshLabel] != p.mesh.Name {
		return err
	}
	delete(p.bundles, secrets.CanaryCert)
	delete(p.serving, secrets.CanaryCert)
	return apply.Delete(ctx, r.Client, secret)
}

// writeCondition writes CertificatesReady. A mesh without certificates that is paused, planned or being removed has no such condition.
func (r *Reconciler) writeCondition(ctx context.Context, p *pass, maintained bool, failed error) error {
	desired := p.mesh.Status.DeepCopy()
	editor := conditions.NewEditor(&desired.Conditions, p.mesh.Generation, r.Now())
	switch {
	case failed != nil:
		editor.Set(v1alpha1.ConditionCertificatesReady, conditions.Assessment{
			State:  conditions.Failing,
			Reason: v1alpha1.ReasonCertificatesFailed, Message: failed.Error(),
		})
	case maintained:
		editor.Set(v1alpha1.ConditionCertificatesReady, conditions.Assessment{
			State:  conditions.Ready,
			Reason: v1alpha1.ReasonCertificatesValid, Message: strings.Join(append([]string{"all certificates exist and are valid"}, p.notes...), "; "),
		})
	case observe.ModeOf(p.mesh) == observe.Apply:
		editor.Set(v1alpha1.ConditionCertificatesReady, observe.Waiting(fmt.Sprintf("waiting until the Mesh is accepted and the namespace %s is ready", p.desired.Namespace)))
	default:
		editor.SetOrRemove(false, v1alpha1.ConditionCertificatesReady, "", "")
	}
	if p.rotation != nil {
		editor.SetOrRemove(true, v1alpha1.ConditionRotatingAuthority, string(p.rotation.Phase), rotationMessage(*p.rotation))
	} else if failed == nil {
		editor.SetOrRemove(false, v1alpha1.ConditionRotatingAuthority, "", "")
	}
	if d := p.delegation; d != nil && d.reason != "" {
		editor.SetStatus(v1alpha1.ConditionCertificatesDelegated, metav1.ConditionFalse, d.reason, d.message)
	} else if d != nil {
		editor.SetStatus(v1alpha1.ConditionCertificatesDelegated, metav1.ConditionTrue, v1alpha1.ReasonIssued, d.by+" issues the certificate authority")
	} else if failed == nil {
		editor.SetOrRemove(false, v1alpha1.ConditionCertificatesDelegated, "", "")
	}
	if failed == nil || p.shared != "" {
		editor.SetOrRemove(p.shared != "", v1alpha1.ConditionIssuerShared, v1alpha1.ReasonNoApproverPolicy, p.shared)
	}
	if g := p.gateway; g != nil && g.problem != nil {
		editor.SetStatus(v1alpha1.ConditionIngressCertificateReady, metav1.ConditionFalse, v1alpha1.ReasonCertificatesFailed, g.problem.Error())
	} else if g != nil {
		editor.SetStatus(v1alpha1.ConditionIngressCertificateReady, metav1.ConditionTrue, v1alpha1.ReasonCertificatesValid, g.describe())
	} else if failed == nil {
		editor.SetOrRemove(false, v1alpha1.ConditionIngressCertificateReady, "", "")
	}
	if maintained && failed == nil {
		desired.Certificates = p.summarize()
	}
	_, err := r.Status.Write(ctx, status.Certificates, p.mesh, desired)
	return err
}
