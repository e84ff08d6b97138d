package certificates

import (
	"context"
	"fmt"
	"time"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/certmanager"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// delegationInterval is how often the Certificate is read. Its kind may be missing, so it is not watched.
const delegationInterval = 15 * time.Second

// delegation is the result of asking cert-manager for an authority.
type delegation struct {
	reason, message string
}

// delegatedRoot reads the authority that cert-manager has issued. Until there is one, the mesh keeps what it has, or the built-in one.
func (r *Reconciler) delegatedRoot(ctx context.Context, s *scope) (*certificate.Root, error) {
	s.renewAfter(delegationInterval)
	problem, err := r.requestAuthority(ctx, s)
	if err != nil {
		return nil, err
	}
	s.delegation = &problem
	secret, err := r.Secrets.Get(ctx, s.wanted.Namespace, names.DelegatedCA)
	if err != nil {
		return nil, err
	}
	var issued *certificate.Root
	if secret != nil {
		if issued, err = certmanager.Authority(secret, r.Now()); err != nil {
			problem.reason, problem.message = v1alpha1.ReasonNotIssued, err.Error()
		}
	}
	switch {
	case issued != nil && problem.reason != "":
		problem.message += fmt.Sprintf("; the certificate authority that it has issued is used until %s", issued.NotAfter().UTC().Format(time.RFC3339))
		return issued, nil
	case issued != nil:
		return issued, nil
	case s.root != nil:
		problem.message += fmt.Sprintf("; the mesh keeps its certificate authority until %s", s.root.NotAfter().UTC().Format(time.RFC3339))
		return s.root, nil
	}
	problem.message += "; the mesh uses a built-in certificate authority"
	return r.builtInRoot(ctx, s)
}

// requestAuthority applies the Certificate of the mesh, and returns why cert-manager has not issued it.
func (r *Reconciler) requestAuthority(ctx context.Context, s *scope) (delegation, error) {
	wanted, err := certmanager.Certificate(certmanager.Request{
		Mesh: s.mesh.Name, Namespace: s.wanted.Namespace, Name: names.DelegatedCA, Issuer: issuerReference(s.wanted.Issuer),
		Key: rootKey(s.wanted.Key), Labels: operand.Labels(s.mesh.Name, ""),
	})
	if err != nil {
		return delegation{}, err
	}
	if err := apply.SetController(s.mesh, r.Client.Scheme(), wanted); err != nil {
		return delegation{}, err
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(wanted.GroupVersionKind())
	err = r.Live.Get(ctx, client.ObjectKeyFromObject(wanted), live)
	if err == nil && equality.Semantic.DeepDerivative(wanted.Object["spec"], live.Object["spec"]) {
		if message := certmanager.Problem(live); message != "" {
			return delegation{v1alpha1.ReasonNotIssued, fmt.Sprintf("cert-manager has not issued the Certificate %s/%s: %s", live.GetNamespace(), live.GetName(), message)}, nil
		}
		return delegation{}, nil
	}
	if err == nil || apierrors.IsNotFound(err) {
		err = r.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner(apply.FieldManager), client.ForceOwnership)
	}
	if isNotServed(err) {
		return delegation{v1alpha1.ReasonKindNotServed, "cert-manager is not installed: the API server does not serve its kind Certificate"}, nil
	}
	if err != nil {
		return delegation{v1alpha1.ReasonNotIssued, fmt.Sprintf("the Certificate %s/%s cannot be applied: %v", wanted.GetNamespace(), wanted.GetName(), err)}, nil
	}
	return delegation{v1alpha1.ReasonNotIssued, fmt.Sprintf("waiting for cert-manager to issue the Certificate %s/%s", wanted.GetNamespace(), wanted.GetName())}, nil
}

// isNotServed reports whether an error means that the API server does not serve a kind.
func isNotServed(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }

// issuerReference converts the reference of a Mesh.
func issuerReference(issuer v1alpha1.IssuerReference) cmmeta.IssuerReference {
	return cmmeta.IssuerReference{
		Name: issuer.Name, Kind: ptr.Deref(issuer.Kind, "Issuer"), Group: ptr.Deref(issuer.Group, "cert-manager.io"),
	}
}

// endDelegation deletes the Certificate and its Secret when the mesh has a built-in authority again. The Secret is missing if cert-manager
// never issued the Certificate.
func (r *Reconciler) endDelegation(ctx context.Context, s *scope) error {
	if s.wanted.Provider == v1alpha1.ProviderCertManager {
		return nil
	}
	secret, err := r.Secrets.Get(ctx, s.wanted.Namespace, names.DelegatedCA)
	if err != nil {
		return err
	}
	hasSecret := secret != nil && secret.Labels[names.MeshLabel] == s.mesh.Name
	if !hasSecret && meta.FindStatusCondition(s.mesh.Status.Conditions, v1alpha1.ConditionCertificatesDelegated) == nil {
		return nil
	}
	object := certmanager.Reference(s.wanted.Namespace, names.DelegatedCA)
	if err := r.Client.Delete(ctx, object); err != nil && !isNotServed(err) {
		return fmt.Errorf("the Certificate %s/%s cannot be deleted: %w", object.GetNamespace(), object.GetName(), err)
	}
	if !hasSecret {
		return nil
	}
	return apply.Delete(ctx, r.Client, secret)
}
