package mesh

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// words are what the operator says to the control planes of a mesh that leaves, in their order.
var words = []string{names.LeavingOpen, names.LeavingTransparent}

// announce says a word to the control planes of the mesh, by an annotation of the MeshConfig, and waits until all sidecars act on it. What
// it waits for is empty when they do, when nobody is there to hear, or when it has taken too long.
func (r *Reconciler) announce(ctx context.Context, s *scope, phase, word string) (string, error) {
	config, err := r.heardConfig(ctx, s)
	if err != nil || config == nil {
		return "", err
	}
	said := config.Annotations[names.LeavingAnnotation]
	if over, err := r.transparent(ctx, s, said); over || err != nil {
		return "", err
	}
	switch step := slices.Index(words, said) - slices.Index(words, word); {
	case step > 0:
		return "", nil
	case step < 0:
		if err := r.annotate(ctx, config, word); err != nil {
			return "", err
		}
	}
	return r.heard(ctx, s, phase)
}

// heardConfig is the MeshConfig by which the control planes of the mesh are spoken to. One that somebody has deleted is made again. There
// is none when the namespace is gone, or about to be, and the control planes with it.
func (r *Reconciler) heardConfig(ctx context.Context, s *scope) (*configv1alpha2.MeshConfig, error) {
	home := &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: s.wanted.Namespace}, home); err != nil || home.DeletionTimestamp != nil {
		return nil, client.IgnoreNotFound(err)
	}
	live := &configv1alpha2.MeshConfig{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.wanted.Namespace, Name: names.MeshConfig}, live)
	if client.IgnoreNotFound(err) == nil && err != nil {
		live, err = r.createMeshConfig(ctx, s)
	}
	if err != nil {
		return nil, fmt.Errorf("the MeshConfig, by which sidecars are told to let pods without one in, cannot be read or created: %w", err)
	}
	return live, nil
}

// annotate says a word, or with an empty one takes back what was said.
func (r *Reconciler) annotate(ctx context.Context, config *configv1alpha2.MeshConfig, word string) error {
	before := config.DeepCopy()
	config = config.DeepCopy()
	if word == "" {
		delete(config.Annotations, names.LeavingAnnotation)
	} else {
		if config.Annotations == nil {
			config.Annotations = map[string]string{}
		}
		config.Annotations[names.LeavingAnnotation] = word
	}
	if err := r.Client.Patch(ctx, config, client.MergeFrom(before), client.FieldOwner(apply.FieldManager)); err != nil {
		return fmt.Errorf("the MeshConfig cannot be annotated: %w", client.IgnoreNotFound(err))
	}
	return nil
}

// heard says what is missing until every sidecar acts on the last word. After the timeout of a step of an upgrade nobody is waited for
// any more: calls of those who have not heard may fail.
func (r *Reconciler) heard(ctx context.Context, s *scope, phase string) (string, error) {
	purpose := "all sidecars are being told to let in pods without one"
	if phase == v1alpha1.RemovalTransparent {
		purpose = "all sidecars are being told to send everything as it is"
	}
	waited := r.Now().Sub(r.removingSince(s, phase))
	if waited < hearsay {
		return purpose, nil
	}
	missing, err := r.deaf(ctx, s)
	if err != nil || missing == "" {
		return "", err
	}
	if limit := boundsOf(s.mesh).Timeout; waited > limit {
		r.say(s, corev1.EventTypeWarning, "SidecarsNotTold", "Tell "+phase, "after %s the removal goes on without some sidecars, whose calls may fail until they are gone: %s", limit.Round(time.Second), missing)
		return "", nil
	}
	return purpose + ", and " + missing, nil
}

// deaf says which sidecars cannot be known to have heard; empty when all have.
func (r *Reconciler) deaf(ctx context.Context, s *scope) (string, error) {
	expected := 0
	for _, w := range s.situation.Workloads {
		if w.Settled {
			for _, n := range w.Sidecars {
				expected += n
			}
		}
	}
	if err := r.readAuthority(ctx, s); err != nil {
		return "", err
	}
	if s.root == nil {
		return "the control plane cannot be asked how far they are, because the certificate authority is gone", nil
	}
	revisions, err := r.revisions(ctx, s)
	if err != nil {
		return "", err
	}
	connected, behind := 0, 0
	for i := range revisions {
		if revisions[i].Spec.Role == v1alpha1.RoleStandby || revisions[i].DeletionTimestamp != nil {
			continue
		}
		reading, err := r.Vitals.Read(ctx, s.subject(&revisions[i]))
		if err != nil {
			return "", err
		}
		if reading.Proxies == nil {
			return "the control plane " + revisions[i].Name + " does not say how far they are", nil
		}
		connected += reading.Proxies.Connected
		behind += reading.Proxies.Behind + reading.Proxies.Rejecting
	}
	switch {
	case connected < expected:
		return fmt.Sprintf("%d of %d are connected to the control plane", connected, expected), nil
	case behind > 0:
		return fmt.Sprintf("%d have not accepted it yet", behind), nil
	}
	return "", nil
}

// readAuthority reads the certificate authority of a mesh that is being removed, if it is still there and can be used.
func (r *Reconciler) readAuthority(ctx context.Context, s *scope) error {
	secret, err := r.Secrets.Get(ctx, s.wanted.Namespace, names.CABundleSecret)
	if err != nil || secret == nil {
		return err
	}
	if root, err := certificate.ParseRoot(secret.Data[names.CABundleCert], secret.Data[names.CABundleKey], r.Now()); err == nil {
		s.root = root
	}
	return nil
}

// stay takes back what was said to control planes about leaving: by somebody else, or when the mesh was removed and its MeshConfig stays.
func (r *Reconciler) stay(ctx context.Context, s *scope, config *configv1alpha2.MeshConfig) error {
	said, spoken := config.Annotations[names.LeavingAnnotation]
	if !spoken {
		return nil
	}
	if s.mesh.DeletionTimestamp == nil {
		r.say(s, corev1.EventTypeWarning, "Reverted", "Stay", "removed the annotation %s: %s from MeshConfig %s/%s, which ends policies and mutual TLS: only the operator writes it, while it removes a mesh",
			names.LeavingAnnotation, said, config.Namespace, config.Name)
	}
	return r.annotate(ctx, config, "")
}
