package certificates

import (
	"context"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// rootAnnotation is the value of spec.certificates.rotateRoot for which an authority was made. earlierAnnotation is that of the
	// authority under earlierPrefix.
	rootAnnotation    = "operator.openservicemesh.io/root"
	earlierAnnotation = "operator.openservicemesh.io/previous-root"
	// earlierPrefix starts the keys of the authority that the desired one has replaced. It is kept until the rotation is over.
	earlierPrefix = "previous."
)

// declareRoot replaces the desired certificate authority when the Mesh declares another value for it: by the earlier one if the value is
// that of the earlier one, and by a new one otherwise. A new authority has the value from the start. It returns the authority that it has written; nil for
// none. Whoever reads the Secret again may still get the earlier one from the cache.
func (r *Reconciler) declareRoot(ctx context.Context, p *pass) (*certificate.Root, error) {
	secret, err := r.Secrets.Get(ctx, p.desired.Namespace, names.CABundleSecret)
	if err != nil || secret == nil || secret.Annotations[rootAnnotation] == p.desired.RotateRoot {
		return nil, err
	}
	earlier, hasEarlier := secret.Annotations[earlierAnnotation]
	goesBack := hasEarlier && earlier == p.desired.RotateRoot
	if p.desired.RotateRoot == "" && !goesBack {
		// A value that is removed later declares nothing.
		return nil, nil
	}
	next := ownContent(secret, earlierPrefix)
	if !goesBack {
		if next, err = r.newContent(p); err != nil {
			return nil, err
		}
	}
	changed := secret.DeepCopy()
	removeEarlier(changed)
	for key, value := range ownContent(secret, "") {
		delete(changed.Data, key)
		changed.Data[earlierPrefix+key] = value
	}
	maps.Copy(changed.Data, next)
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, earlierAnnotation, secret.Annotations[rootAnnotation])
	metav1.SetMetaDataAnnotation(&changed.ObjectMeta, rootAnnotation, p.desired.RotateRoot)
	if err := r.patchDesired(ctx, secret, changed); err != nil {
		return nil, err
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "AuthorityDeclared", "DeclareAuthority",
		"replaced the certificate authority in Secret %s/%s for spec.certificates.rotateRoot %q", secret.Namespace, secret.Name, p.desired.RotateRoot)
	return certificate.Decode(next)
}

// forgetEarlier removes the earlier authority after a rotation.
func (r *Reconciler) forgetEarlier(ctx context.Context, p *pass) error {
	secret, err := r.Secrets.Get(ctx, p.desired.Namespace, names.CABundleSecret)
	if err != nil || secret == nil {
		return err
	}
	if _, ok := secret.Annotations[earlierAnnotation]; !ok {
		return nil
	}
	changed := secret.DeepCopy()
	removeEarlier(changed)
	return r.patchDesired(ctx, secret, changed)
}

// patchDesired writes the desired authority unless it has changed meanwhile.
func (r *Reconciler) patchDesired(ctx context.Context, before, after *corev1.Secret) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, after, patch, client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the certificate authority in Secret %s/%s cannot be replaced: %w", before.Namespace, before.Name, err)
	}
	return nil
}

// newContent is the content of a Secret with a new root.
func (r *Reconciler) newContent(p *pass) (map[string][]byte, error) {
	root, err := certificate.NewRoot(rootKey(p.desired.Key), r.Now())
	if err != nil {
		return nil, err
	}
	key, err := root.KeyPEM()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{names.CABundleCert: root.CertPEM(), names.CABundleKey: key}, nil
}

// ownContent is the authority under keys with a prefix, by their names without it.
func ownContent(secret *corev1.Secret, prefix string) map[string][]byte {
	content := map[string][]byte{}
	for _, key := range []string{certificate.TrustKey, certificate.ChainKey, certificate.SignerKey} {
		if value, ok := secret.Data[prefix+key]; ok {
			content[key] = value
		}
	}
	return content
}

// removeEarlier removes the earlier authority from a Secret.
func removeEarlier(secret *corev1.Secret) {
	maps.DeleteFunc(secret.Data, func(key string, _ []byte) bool { return strings.HasPrefix(key, earlierPrefix) })
	delete(secret.Annotations, earlierAnnotation)
}
