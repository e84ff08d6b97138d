package certificates

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// changedAnnotation is when the active certificate authority was changed last, in RFC 3339. Pods have it some time later.
const changedAnnotation = "operator.openservicemesh.io/changed-at"

// writeActive makes the root of the scope the active certificate authority.
func (r *Reconciler) writeActive(ctx context.Context, s *scope) error {
	content, err := s.root.Encode()
	if err != nil {
		return err
	}
	return r.applyActive(ctx, s, content, r.Now())
}

// applyActive writes the Secret of the active certificate authority.
func (r *Reconciler) applyActive(ctx context.Context, s *scope, content map[string][]byte, changed time.Time) error {
	data := map[string]any{}
	for key, value := range content {
		data[key] = base64.StdEncoding.EncodeToString(value)
	}
	secret := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": string(corev1.SecretTypeOpaque), "data": data,
	}}
	secret.SetNamespace(s.desired.Namespace)
	secret.SetName(names.ActiveCASecret)
	secret.SetLabels(operand.Labels(s.mesh.Name, ""))
	secret.SetAnnotations(map[string]string{changedAnnotation: changed.UTC().Format(time.RFC3339)})
	// A hash of a private key must not be left in an annotation.
	if err := r.Applier.ApplyUnconditionally(ctx, secret); err != nil {
		return fmt.Errorf("the active certificate authority in Secret %s/%s cannot be written: %w", s.desired.Namespace, names.ActiveCASecret, err)
	}
	return nil
}

// restoreActive restores the labels of the active certificate authority, and returns when it was changed last. A time
// that is missing or damaged counts as now.
func (r *Reconciler) restoreActive(ctx context.Context, s *scope) (time.Time, error) {
	live, err := r.Secrets.Get(ctx, s.desired.Namespace, names.ActiveCASecret)
	if err != nil || live == nil {
		return time.Time{}, err
	}
	changed, err := time.Parse(time.RFC3339, live.Annotations[changedAnnotation])
	if err == nil && isLabelled(live, s.mesh) {
		return changed, nil
	}
	if err != nil {
		changed = r.Now()
	}
	return changed, r.applyActive(ctx, s, live.Data, changed)
}
