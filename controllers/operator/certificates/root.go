package certificates

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// reconcileRoot moves the mesh towards its desired certificate authority. While that one cannot be used, the active one serves.
func (r *Reconciler) reconcileRoot(ctx context.Context, p *pass) error {
	active, err := r.Root(ctx, p.desired.Namespace)
	if err != nil {
		return err
	}
	if active != nil {
		active = p.withDomains(active)
	}
	p.root = active
	desired, err := r.desiredRoot(ctx, p)
	if err == nil {
		desired, err = p.inDesiredDomains(desired)
	}
	switch {
	case active == nil && err != nil:
		return err
	case active == nil:
		p.root = desired
		return r.writeActive(ctx, p)
	case err != nil:
		p.problem = err
		return nil
	}
	if err := r.rotate(ctx, p, active, desired); err != nil {
		// The states of the roots are unknown.
		p.declared = nil
		return err
	}
	return nil
}

// desiredRoot reads the desired certificate authority from its provider.
func (r *Reconciler) desiredRoot(ctx context.Context, p *pass) (*certificate.Root, error) {
	if err := r.readDeclared(ctx, p); err != nil {
		return nil, err
	}
	switch {
	case hasInUse(p.declared) && !p.desired.DeclaresAuthority:
		return r.declaredRoot(ctx, p)
	case p.desired.Provider == v1alpha1.ProviderCertManager:
		return r.delegatedRoot(ctx, p, names.DelegatedCA, r.certManager(issuerReference(p.desired.Issuer)))
	case p.desired.Provider == v1alpha1.ProviderVault:
		return r.delegatedRoot(ctx, p, names.VaultCA, r.vault(vaultOfMesh(p.desired.Vault, p.desired.Namespace)))
	}
	return r.builtInRoot(ctx, p)
}

// builtInRoot reads the built-in certificate authority, and creates it once. A Secret that exists is used as it is, whoever made it.
func (r *Reconciler) builtInRoot(ctx context.Context, p *pass) (*certificate.Root, error) {
	if declared, err := r.declareRoot(ctx, p); err != nil || declared != nil {
		return declared, err
	}
	root, err := r.DesiredRoot(ctx, p.desired.Namespace)
	if err != nil || root != nil {
		return root, err
	}
	if takeover.FollowsAuthority(p.mesh) {
		return nil, errors.New("the certificate authority of the Open Service Mesh has not been copied yet: see the condition " + v1alpha1.ConditionAdopting)
	}
	return r.createRoot(ctx, p, names.CABundleSecret)
}

// createRoot creates a new root in a Secret. Create never overwrites, so two operators cannot replace each other's root.
func (r *Reconciler) createRoot(ctx context.Context, p *pass, name string) (*certificate.Root, error) {
	content, err := r.newContent(p)
	if err != nil {
		return nil, err
	}
	root, err := certificate.Decode(content)
	if err != nil {
		return nil, err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.desired.Namespace, Name: name, Labels: operand.Labels(p.mesh.Name, ""),
		},
		Data: content,
	}
	if p.desired.RotateRoot != "" {
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, rootAnnotation, p.desired.RotateRoot)
	}
	if err := r.Client.Create(ctx, secret, client.FieldOwner(apply.FieldManager)); err != nil {
		return nil, fmt.Errorf("the Secret %s/%s for the certificate authority cannot be created: %w", secret.Namespace, secret.Name, err)
	}
	if p.root != nil && name == names.CABundleSecret && !hasInUse(p.declared) {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "AuthorityReplaced", "ReplaceAuthority",
			"the Secret %s/%s was gone: a new certificate authority was created, and the mesh moves to it step by step", secret.Namespace, secret.Name)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Created", "CreateAuthority", "created the certificate authority in Secret %s/%s",
		secret.Namespace, secret.Name)
	return root, nil
}

// rootKey is the key of the root. It is of the kind of the workloads' keys, so that peers that need RSA can verify the whole chain.
func rootKey(key v1alpha1.KeySpec) certificate.KeySpec {
	return certificate.KeySpec{Algorithm: certificate.Algorithm(ptr.Deref(key.Algorithm, "")), Bits: int(ptr.Deref(key.Size, 0))}
}

// collectWarnings notes an authority that ends soon, and the other meshes that have the same root.
func (r *Reconciler) collectWarnings(ctx context.Context, p *pass) error {
	p.noteExpiry(r.Now())
	var meshes v1alpha1.MeshList
	if err := r.Client.List(ctx, &meshes); err != nil {
		return fmt.Errorf("the other Meshes cannot be listed: %w", err)
	}
	var sharing []string
	for i := range meshes.Items {
		other := r.Desired(&meshes.Items[i])
		if other.Name == p.mesh.Name || other.Namespace == p.desired.Namespace {
			continue
		}
		secret, err := r.Secrets.Get(ctx, other.Namespace, names.CABundleSecret)
		if err != nil {
			return err
		}
		if secret != nil && bytes.Equal(bytes.TrimSpace(secret.Data[names.CABundleCert]), bytes.TrimSpace(p.root.CertPEM())) {
			sharing = append(sharing, other.Name)
		}
	}
	if len(sharing) > 0 {
		slices.Sort(sharing)
		p.notes = append(p.notes, fmt.Sprintf(
			"the certificate authority is that of the mesh %s too, so workloads of each can prove themselves to the other: where no access is meant, delete the Secret %s/%s of one of them, and restart its workloads",
			strings.Join(sharing, " and "), p.desired.Namespace, names.CABundleSecret))
	}
	return nil
}
