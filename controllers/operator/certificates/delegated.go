package certificates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// delegationInterval is how often the Certificate is read at most. Its kind may be missing, so it is not watched.
const delegationInterval = 15 * time.Second

// delegation is the result of requesting an authority. by is who issues it, and an empty reason means that it is issued.
type delegation struct {
	by, reason, message string
}

// authorityRequest requests an authority in a Secret of the mesh, and returns why it is not issued.
type authorityRequest func(ctx context.Context, p *pass, secret string) (delegation, error)

// delegationDelay is when an issuer is tried again. Several clusters may share one, and must not try it at the same time after an outage.
func (r *Reconciler) delegationDelay() time.Duration {
	return delegationInterval + time.Duration(r.Jitter()*float64(delegationInterval))
}

// delegatedRoot reads the authority of an external issuer. Until there is one, the mesh keeps what it has, or the built-in one.
func (r *Reconciler) delegatedRoot(ctx context.Context, p *pass, name string, request authorityRequest) (*certificate.Root, error) {
	issued, problem, err := r.issuedRoot(ctx, p, name, request)
	if err != nil {
		return nil, err
	}
	p.delegation = &problem
	switch {
	case issued != nil:
		return p.issuingWorkloads(issued), nil
	case p.root != nil:
		problem.message += fmt.Sprintf("; the mesh keeps its certificate authority until %s", p.root.NotAfter().UTC().Format(time.RFC3339))
		return p.root, nil
	}
	problem.message += "; the mesh uses a built-in certificate authority"
	return r.builtInRoot(ctx, p)
}

// issuedRoot requests an authority, and reads what has been issued last; nil if nothing has.
func (r *Reconciler) issuedRoot(ctx context.Context, p *pass, name string, request authorityRequest) (*certificate.Root, delegation, error) {
	p.RequeueAfter(r.delegationDelay())
	problem, err := request(ctx, p, name)
	if err != nil {
		return nil, problem, err
	}
	secret, err := r.Secrets.Get(ctx, p.desired.Namespace, name)
	if err != nil || secret == nil {
		return nil, problem, err
	}
	issued, err := certmanager.Authority(secret, r.Now())
	switch {
	case err != nil:
		problem.reason, problem.message = v1alpha1.ReasonNotIssued, err.Error()
		return nil, problem, nil
	case problem.reason != "":
		problem.message += fmt.Sprintf("; the certificate authority that it has issued is used until %s", issued.NotAfter().UTC().Format(time.RFC3339))
	}
	return issued, problem, nil
}

// certManager returns a request that applies a Certificate of an issuer of cert-manager.
func (r *Reconciler) certManager(issuer cmmeta.IssuerReference) authorityRequest {
	return func(ctx context.Context, p *pass, name string) (delegation, error) {
		desired, err := certmanager.Certificate(certmanager.Request{
			Mesh: p.mesh.Name, Namespace: p.desired.Namespace, Name: name, Issuer: issuer,
			Key: rootKey(p.desired.Key), Labels: operand.Labels(p.mesh.Name, ""),
		})
		if err != nil {
			return delegation{}, err
		}
		reason, message := r.requestCertificate(ctx, desired)
		return delegation{"cert-manager", reason, message}, nil
	}
}

// requestCertificate applies a Certificate, and returns why cert-manager has not issued it.
func (r *Reconciler) requestCertificate(ctx context.Context, desired *unstructured.Unstructured) (reason, message string) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(desired.GroupVersionKind())
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(desired), live)
	if err == nil && equality.Semantic.DeepDerivative(desired.Object["spec"], live.Object["spec"]) {
		if message := certmanager.Problem(live); message != "" {
			if reason := r.requestProblem(ctx, desired); reason != "" {
				message += "; " + reason
			}
			return v1alpha1.ReasonNotIssued, fmt.Sprintf("cert-manager has not issued the Certificate %s/%s: %s", live.GetNamespace(), live.GetName(), message)
		}
		return "", ""
	}
	if err == nil || apierrors.IsNotFound(err) {
		err = r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(desired), client.FieldOwner(apply.FieldManager), client.ForceOwnership)
	}
	if isNotServed(err) {
		return v1alpha1.ReasonKindNotServed, "cert-manager is not installed: the API server does not serve its kind Certificate"
	}
	if err != nil {
		return v1alpha1.ReasonNotIssued, fmt.Sprintf("the Certificate %s/%s cannot be applied: %v", desired.GetNamespace(), desired.GetName(), err)
	}
	return v1alpha1.ReasonNotIssued, fmt.Sprintf("waiting for cert-manager to issue the Certificate %s/%s", desired.GetNamespace(), desired.GetName())
}

// requestProblem returns why the CertificateRequest of a Certificate has no answer; empty if that is not known.
func (r *Reconciler) requestProblem(ctx context.Context, desired *unstructured.Unstructured) string {
	list := certmanager.Requests()
	if err := r.Live.List(ctx, list, client.InNamespace(desired.GetNamespace())); err != nil {
		return ""
	}
	return certmanager.RequestProblem(list, desired.GetName())
}

// isNotServed reports whether an error means that the API server does not serve a kind.
func isNotServed(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }

// issuerReference converts the reference of a Mesh.
func issuerReference(issuer v1alpha1.IssuerReference) cmmeta.IssuerReference {
	return cmmeta.IssuerReference{
		Name: issuer.Name, Kind: ptr.Deref(issuer.Kind, "Issuer"), Group: ptr.Deref(issuer.Group, "cert-manager.io"),
	}
}

// endDelegations deletes the Certificates and Secrets of authorities that the mesh does not request any more.
func (r *Reconciler) endDelegations(ctx context.Context, p *pass) error {
	var errs []error
	for _, name := range secrets.Issued() {
		if !p.requests(name) {
			errs = append(errs, r.endDelegation(ctx, p, name))
		}
	}
	return errors.Join(errs...)
}

// requests reports whether the mesh requests the authority in a Secret.
func (p *pass) requests(name string) bool {
	switch name {
	case names.DelegatedCA:
		return p.desired.Provider == v1alpha1.ProviderCertManager
	case names.VaultCA:
		return p.desired.Provider == v1alpha1.ProviderVault
	}
	return slices.ContainsFunc(p.declared, func(d declared) bool { return d.inUse && d.status.Secret == name })
}

// endDelegation deletes a Certificate and its Secret. The Secret is missing if cert-manager never issued the Certificate.
func (r *Reconciler) endDelegation(ctx context.Context, p *pass, name string) error {
	secret, err := r.Secrets.Get(ctx, p.desired.Namespace, name)
	if err != nil {
		return err
	}
	hasSecret := secret != nil && secret.Labels[names.MeshLabel] == p.mesh.Name
	ended := p.delegation == nil && meta.FindStatusCondition(p.mesh.Status.Conditions, v1alpha1.ConditionCertificatesDelegated) != nil
	if !hasSecret && !ended {
		return nil
	}
	object := certmanager.Reference(p.desired.Namespace, name)
	if err := r.Client.Delete(ctx, object); err != nil && !isNotServed(err) {
		return fmt.Errorf("the Certificate %s/%s cannot be deleted: %w", object.GetNamespace(), object.GetName(), err)
	}
	if !hasSecret {
		return nil
	}
	return apply.Delete(ctx, r.Client, secret)
}

// issuingWorkloads returns the authority of cert-manager with the issuer of workload certificates, if that is not the authority itself. Both
// lead to the same root.
func (p *pass) issuingWorkloads(authority *certificate.Root) *certificate.Root {
	if p.desired.Provider != v1alpha1.ProviderCertManager || !p.desired.RequestsCertificates {
		return authority
	}
	issuer := issuerReference(p.desired.Issuer)
	return authority.IssuedBy(&certificate.ExternalIssuer{Name: issuer.Name, Kind: issuer.Kind, Group: issuer.Group})
}

// changeWorkloadIssuer changes who issues the certificates of workloads, below the same root.
func (r *Reconciler) changeWorkloadIssuer(ctx context.Context, p *pass, issuer *certificate.ExternalIssuer) error {
	changed := p.root.IssuedBy(issuer)
	if certificate.SameExternalIssuer(changed, p.root) {
		return nil
	}
	p.root = changed
	if err := r.writeActive(ctx, p); err != nil {
		return err
	}
	note := "the certificate authority of the mesh issues the certificates of workloads from now on"
	if issuer != nil {
		note = fmt.Sprintf("the certificates of workloads are requested of the %s %s from now on", issuer.Kind, issuer.Name)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "WorkloadIssuerChanged", "ChangeWorkloadIssuer", "%s", note)
	return nil
}

// observeIssuance reports certificates of workloads that cert-manager does not issue.
func (r *Reconciler) observeIssuance(ctx context.Context, p *pass) error {
	if p.root.ExternalIssuer() == nil || p.delegation == nil || p.delegation.reason != "" {
		return nil
	}
	replicas, err := r.replicas(ctx, p)
	if err != nil {
		return err
	}
	if message := describeFailure(replicas); message != "" {
		p.delegation.reason, p.delegation.message = v1alpha1.ReasonNotIssued, message
	}
	return nil
}

// describeFailure describes why certificates of workloads are not issued, and for how long the present ones are valid; empty if they are issued.
func describeFailure(replicas []rotation.Replica) string {
	var failing *rotation.Replica
	var expiry time.Time
	for i := range replicas {
		r := &replicas[i]
		if r.Failure != "" && (failing == nil || r.FailingSince.Before(failing.FailingSince)) {
			failing = r
		}
		if !r.FirstExpiry.IsZero() && (expiry.IsZero() || r.FirstExpiry.Before(expiry)) {
			expiry = r.FirstExpiry
		}
	}
	if failing == nil {
		return ""
	}
	message := fmt.Sprintf("certificates of workloads are not issued since %s: %s", failing.FailingSince.UTC().Format(time.RFC3339), failing.Failure)
	if !expiry.IsZero() {
		message += fmt.Sprintf("; workloads use their present certificates, of which the first expires at %s", expiry.UTC().Format(time.RFC3339))
	}
	return message
}

// observeSharing reports an issuer of the mesh that objects of all namespaces can use, without a policy about who may. Peers trust the root of the
// issuer and know each other by the names in certificates, so whoever gets a certificate of it can have any identity. The operator sees policies of
// approver-policy; whether cert-manager approves all requests by itself is an argument of its program, which the API does not have.
func (r *Reconciler) observeSharing(ctx context.Context, p *pass) error {
	for _, issuer := range p.issuers() {
		if !certmanager.IsShared(issuer) {
			continue
		}
		policies := certmanager.Policies()
		err := r.Live.List(ctx, policies)
		if err == nil && certmanager.HasPolicy(policies, issuer) {
			continue
		}
		p.shared = fmt.Sprintf("whoever may create Certificates or CertificateRequests in any namespace can get a certificate of the %s %s with any identity of the mesh, "+
			"because no CertificateRequestPolicy selects it: use an Issuer in the namespace %s, or install approver-policy with a policy for the issuer", issuer.Kind, issuer.Name, p.desired.Namespace)
		if err != nil && !isNotServed(err) {
			p.shared += fmt.Sprintf("; policies cannot be read: %v", err)
		}
		return nil
	}
	return nil
}

// issuers returns the issuers of cert-manager whose roots peers trust.
func (p *pass) issuers() []cmmeta.IssuerReference {
	var issuers []cmmeta.IssuerReference
	if p.desired.Provider == v1alpha1.ProviderCertManager {
		issuers = append(issuers, issuerReference(p.desired.Issuer))
	}
	for _, d := range p.declared {
		if provider := d.object.Spec.Provider.CertManager; d.inUse && provider != nil {
			issuers = append(issuers, declaredIssuer(*provider))
		}
	}
	return issuers
}
