package takeover

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/operator/takeover"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// prepare copies what both control planes must have in common into the namespace of the mesh.
func (r *Reconciler) prepare(ctx context.Context, p *pass) error {
	if p.progress.IsRemoval {
		return nil
	}
	namespace, err := r.Namespace(ctx, p.desired.Namespace)
	if err != nil {
		return err
	}
	if namespace == nil || namespace.DeletionTimestamp != nil {
		p.waiting = "waiting for the namespace " + p.desired.Namespace
		return nil
	}
	for _, step := range []func(context.Context, *pass) error{r.protectDefinitions, r.copyAuthority, r.copySettings} {
		if err := step(ctx, p); err != nil || p.isHeld() {
			return err
		}
	}
	return nil
}

// protectDefinitions keeps the bootstrap of the Open Service Mesh from restoring its own CRDs over those of this project.
func (r *Reconciler) protectDefinitions(ctx context.Context, p *pass) error {
	changed, err := takeover.ReleaseDefinitions(ctx, r.Live, r.Client, fieldManager)
	if len(changed) > 0 {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "ReleaseDefinitions",
			"removed the label by which the Open Service Mesh restores its definitions: %s", strings.Join(changed, ", "))
	}
	if err != nil {
		return err
	}
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := r.Live.Get(ctx, client.ObjectKey{Name: "meshconfigs." + configv1alpha2.GroupVersion.Group}, definition); err != nil {
		return fmt.Errorf("the definition of MeshConfigs cannot be read: %w", err)
	}
	if !takeover.IsOwnDefinition(definition) {
		p.blocked = "the definitions of the Open Service Mesh have replaced those of the operator: install the operator again, for example with " +
			"`kubectl apply --server-side --force-conflicts -f dist/install.yaml`"
	}
	return nil
}

// copyAuthority keeps a copy of the certificate authority, so that sidecars of both meshes accept each other.
func (r *Reconciler) copyAuthority(ctx context.Context, p *pass) error {
	source, err := r.readAuthority(ctx, p)
	if err != nil || source == nil {
		return err
	}
	data := map[string][]byte{names.CABundleCert: source.Data[names.CABundleCert], names.CABundleKey: source.Data[names.CABundleKey]}
	if len(data[names.CABundleCert]) == 0 || len(data[names.CABundleKey]) == 0 {
		p.blocked = fmt.Sprintf("the Secret %s/%s has no certificate authority with its key", source.Namespace, source.Name)
		return nil
	}
	live, err := r.Secrets.Get(ctx, p.desired.Namespace, names.CABundleSecret)
	switch {
	case err != nil:
		return err
	case live == nil:
		return r.createAuthority(ctx, p, data)
	case bytes.Equal(live.Data[names.CABundleCert], data[names.CABundleCert]) && bytes.Equal(live.Data[names.CABundleKey], data[names.CABundleKey]):
		return nil
	case live.Labels[names.MeshLabel] != p.mesh.Name:
		p.blocked = fmt.Sprintf("the Secret %s/%s has another certificate authority than the Open Service Mesh: delete it, and the operator copies that of the Open Service Mesh",
			live.Namespace, live.Name)
		return nil
	}
	changed := live.DeepCopy()
	changed.Data = data
	if err := r.Client.Patch(ctx, changed, client.MergeFrom(live), client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("the copy of the certificate authority in Secret %s/%s cannot be updated: %w", live.Namespace, live.Name, err)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "CopyAuthority", "the certificate authority of the Open Service Mesh has changed, and the mesh follows it")
	return nil
}

// createAuthority creates the copy of the certificate authority.
func (r *Reconciler) createAuthority(ctx context.Context, p *pass, data map[string][]byte) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.desired.Namespace, Name: names.CABundleSecret, Labels: operand.Labels(p.mesh.Name, "")},
		Data:       data,
	}
	if err := r.Client.Create(ctx, secret, client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("the certificate authority cannot be copied into Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "CopyAuthority", "copied the certificate authority of the Open Service Mesh into Secret %s/%s", secret.Namespace, secret.Name)
	return nil
}

// readAuthority reads the authority of the Open Service Mesh; nil if it cannot be used, which the pass explains.
func (r *Reconciler) readAuthority(ctx context.Context, p *pass) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: p.progress.From, Name: p.osm.CASecret}, secret)
	switch {
	case apierrors.IsForbidden(err):
		p.blocked = fmt.Sprintf("the operator may not read the Secret %s/%s with the certificate authority: run `kubectl -n %s create role osm-authority-reader --verb=get --resource=secrets "+
			"--resource-name=%s` and `kubectl -n %s create rolebinding osm-authority-reader --role=osm-authority-reader --serviceaccount=%s:%s`",
			p.progress.From, p.osm.CASecret, p.progress.From, p.osm.CASecret, p.progress.From, r.OperatorNamespace, names.Operator)
		return nil, nil
	case apierrors.IsNotFound(err):
		p.blocked = fmt.Sprintf("the Secret %s/%s with the certificate authority of the Open Service Mesh does not exist", p.progress.From, p.osm.CASecret)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the certificate authority of the Open Service Mesh cannot be read: %w", err)
	}
	return secret, nil
}

// copySettings keeps a copy of the spec of the MeshConfig, so that both control planes have the same settings.
func (r *Reconciler) copySettings(ctx context.Context, p *pass) error {
	source := &unstructured.Unstructured{}
	source.SetGroupVersionKind(configv1alpha2.GroupVersion.WithKind("MeshConfig"))
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: p.progress.From, Name: names.MeshConfig}, source)
	if apierrors.IsNotFound(err) {
		p.blocked = fmt.Sprintf("the MeshConfig %s/%s of the Open Service Mesh does not exist", p.progress.From, names.MeshConfig)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the MeshConfig of the Open Service Mesh cannot be read: %w", err)
	}
	changed, err := r.followSettings(ctx, p.mesh, p.progress.From, source)
	if changed {
		r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "Adopted", "CopySettings", "copied the settings of MeshConfig %s/%s into MeshConfig %s/%s",
			p.progress.From, names.MeshConfig, p.desired.Namespace, names.MeshConfig)
	}
	return err
}
