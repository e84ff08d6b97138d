package certificates

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// maxInUse is how many MeshRootCertificates can be active or passive at the same time.
const maxInUse = 2

// declared is a MeshRootCertificate, and what became of it.
type declared struct {
	object *configv1alpha2.MeshRootCertificate
	// status is the status to write.
	status *configv1alpha2.MeshRootCertificateStatus
	// inUse is true if the root should issue or be trusted.
	inUse bool
	// issues is true if the root should issue.
	issues bool
	// root is its authority; nil if it cannot be used.
	root *certificate.Root
	// delegation is what its issuer does; nil with a root in a Secret.
	delegation *delegation
	// problem is why the root cannot be used.
	problem error
}

// role is the declared role. The kind had none in released versions of OSM, where every root was active.
func (d *declared) role() configv1alpha2.RootRole {
	return cmp.Or(d.object.Spec.Role, configv1alpha2.RoleActive)
}

// isPending reports whether an external issuer has not issued the root yet.
func (d *declared) isPending() bool { return d.inUse && d.root == nil && d.problem == nil }

// hasInUse reports whether a root is declared that should issue or be trusted.
func hasInUse(list []declared) bool {
	return slices.ContainsFunc(list, func(d declared) bool { return d.inUse })
}

// readDeclared reads the MeshRootCertificates in the namespace of the mesh, oldest first.
func (r *Reconciler) readDeclared(ctx context.Context, p *pass) error {
	var list configv1alpha2.MeshRootCertificateList
	if err := r.Client.List(ctx, &list, client.InNamespace(p.desired.Namespace)); err != nil {
		return fmt.Errorf("the MeshRootCertificates of namespace %s cannot be listed: %w", p.desired.Namespace, err)
	}
	slices.SortFunc(list.Items, func(a, b configv1alpha2.MeshRootCertificate) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for i := range list.Items {
		object := &list.Items[i]
		if object.DeletionTimestamp == nil {
			p.declared = append(p.declared, declared{object: object, status: object.Status.DeepCopy()})
		}
	}
	used := 0
	for i := range p.declared {
		d := &p.declared[i]
		switch {
		case d.role() == configv1alpha2.RoleInactive:
		case p.desired.DeclaresAuthority:
			d.problem = errors.New("the Mesh sets spec.certificates.provider or spec.certificates.rotateRoot, which takes precedence: remove them there to use this root")
		case used == maxInUse:
			d.problem = fmt.Errorf("%d older MeshRootCertificates are active or passive already: make one of them inactive", maxInUse)
		default:
			d.inUse = true
			used++
		}
	}
	return nil
}

// declaredRoot returns the authority that the MeshRootCertificates declare: one issues, and all of them are trusted. While one cannot be
// used, nothing is withdrawn.
func (r *Reconciler) declaredRoot(ctx context.Context, p *pass) (*certificate.Root, error) {
	for i := range p.declared {
		if d := &p.declared[i]; d.inUse {
			d.root, d.problem = r.readDeclaredRoot(ctx, p, d)
		}
	}
	p.problem = problem(p.declared)
	desired := p.root
	issuing := chooseIssuing(p.declared)
	p.declareDomains(issuing)
	if issuing != nil {
		issuing.issues, p.delegation = true, issuing.delegation
		if issuing.root != nil {
			desired = issuing.root
		}
	}
	switch {
	case desired == nil && p.problem != nil:
		return nil, p.problem
	case desired == nil:
		return r.builtInRoot(ctx, p)
	}
	return desired.Trusting(p.declaredTrust(desired)), nil
}

// declaredTrust returns the certificates of all roots that are declared, beginning with the issuing one.
func (p *pass) declaredTrust(desired *certificate.Root) []*x509.Certificate {
	trusted := desired.Trusted()
	isComplete := true
	for i := range p.declared {
		d := &p.declared[i]
		if d.root != nil {
			trusted = append(trusted, d.root.Trusted()...)
		}
		isComplete = isComplete && (d.root != nil || !d.inUse)
	}
	if p.root != nil && !isComplete {
		trusted = append(trusted, p.root.Trusted()...)
	}
	return distinct(trusted)
}

// chooseIssuing returns the root that should issue: the newest active one that can be used, or else the newest active one; nil if there is
// none.
func chooseIssuing(list []declared) *declared {
	var chosen *declared
	for i := len(list) - 1; i >= 0; i-- {
		d := &list[i]
		if !d.inUse || d.role() != configv1alpha2.RoleActive {
			continue
		}
		if d.root != nil {
			return d
		}
		chosen = cmp.Or(chosen, d)
	}
	return chosen
}

// problem returns why roots that are in use cannot be used; nil if all can.
func problem(list []declared) error {
	var errs []error
	for i := range list {
		if d := &list[i]; d.inUse && d.problem != nil {
			errs = append(errs, fmt.Errorf("the MeshRootCertificate %s cannot be used: %w", d.object.Name, d.problem))
		}
	}
	return errors.Join(errs...)
}

// distinct removes certificates that occur earlier.
func distinct(list []*x509.Certificate) []*x509.Certificate {
	var kept []*x509.Certificate
	for _, c := range list {
		if !slices.ContainsFunc(kept, c.Equal) {
			kept = append(kept, c)
		}
	}
	return kept
}

// readDeclaredRoot reads the authority of a MeshRootCertificate.
func (r *Reconciler) readDeclaredRoot(ctx context.Context, p *pass, d *declared) (*certificate.Root, error) {
	spec := d.object.Spec
	if err := p.checkDeclaredDomain(d); err != nil {
		return nil, err
	}
	switch {
	case spec.Provider.Tresor != nil:
		return r.secretRoot(ctx, p, spec.Provider.Tresor.CA.SecretRef)
	case spec.Provider.CertManager != nil:
		return r.issuedDeclaredRoot(ctx, p, d, r.certManager(declaredIssuer(*spec.Provider.CertManager)))
	case spec.Provider.Vault != nil:
		request, err := vaultOfRoot(*spec.Provider.Vault, p.desired.Namespace)
		if err != nil {
			return nil, err
		}
		return r.issuedDeclaredRoot(ctx, p, d, r.vault(request))
	}
	return nil, errors.New("it has no provider")
}

// issuedDeclaredRoot reads the authority that an external issuer has issued for a MeshRootCertificate.
func (r *Reconciler) issuedDeclaredRoot(ctx context.Context, p *pass, d *declared, request authorityRequest) (*certificate.Root, error) {
	d.status.Secret = freeSecret(p.declared, d)
	root, delegation, err := r.issuedRoot(ctx, p, d.status.Secret, request)
	d.delegation = &delegation
	return root, err
}

// freeSecret returns the Secret of a MeshRootCertificate: the one that it has already, or one that no other has.
func freeSecret(list []declared, of *declared) string {
	slots := []string{names.FirstDeclaredCA, names.SecondDeclaredCA}
	if slices.Contains(slots, of.status.Secret) {
		return of.status.Secret
	}
	index := slices.IndexFunc(slots, func(slot string) bool {
		return !slices.ContainsFunc(list, func(d declared) bool { return d.inUse && d.status.Secret == slot })
	})
	// There are as many as can be in use.
	return slots[max(index, 0)]
}

// declaredIssuer converts the reference of a MeshRootCertificate.
func declaredIssuer(p configv1alpha2.CertManagerProvider) cmmeta.IssuerReference {
	return cmmeta.IssuerReference{
		Name: p.IssuerName, Kind: cmp.Or(p.IssuerKind, "Issuer"), Group: cmp.Or(p.IssuerGroup, "cert-manager.io"),
	}
}

// secretRoot reads the root in a Secret that a MeshRootCertificate names, and creates it once, as OSM does, if it has one of the names that an admission
// policy permits. Only Secrets of the mesh can be named: whoever may write a MeshRootCertificate must not be able to use the Secrets of other namespaces.
func (r *Reconciler) secretRoot(ctx context.Context, p *pass, reference corev1.SecretReference) (*certificate.Root, error) {
	switch {
	case reference.Name == "":
		return nil, errors.New("spec.provider.tresor.ca.secretRef.name is empty: name the Secret of the root")
	case reference.Namespace != "" && reference.Namespace != p.desired.Namespace:
		return nil, fmt.Errorf("the Secret %s/%s is in another namespace: copy it to the namespace %s of the mesh", reference.Namespace, reference.Name, p.desired.Namespace)
	case reference.Name == names.CABundleSecret:
		return r.builtInRoot(ctx, p)
	}
	p.RequeueAfter(delegationInterval)
	secret, err := r.readSecret(ctx, client.ObjectKey{Namespace: p.desired.Namespace, Name: reference.Name})
	switch {
	case err == nil:
	case !apierrors.IsNotFound(err):
		return nil, err
	case reference.Name == names.FirstCABundleSecret || reference.Name == names.SecondCABundleSecret:
		return r.createRoot(ctx, p, reference.Name)
	default:
		return nil, fmt.Errorf("the Secret %s/%s does not exist: create it with %s and %s, or name %s or %s, which are created with a new root", p.desired.Namespace,
			reference.Name, names.CABundleCert, names.CABundleKey, names.FirstCABundleSecret, names.SecondCABundleSecret)
	}
	root, err := certificate.Decode(secret.Data)
	if err == nil {
		err = root.Valid(r.Now())
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate authority in Secret %s/%s cannot be used: %w", secret.Namespace, secret.Name, err)
	}
	return root, nil
}

// readSecret reads a Secret that a user names. It is not watched: the operator has no permission to read all Secrets.
func (r *Reconciler) readSecret(ctx context.Context, key client.ObjectKey) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, key, secret)
	if apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("the operator has no permission for the Secret %s: grant its ServiceAccount get of this Secret in a Role", key)
	}
	if err != nil {
		return nil, fmt.Errorf("the Secret %s cannot be read: %w", key, err)
	}
	return secret, nil
}
