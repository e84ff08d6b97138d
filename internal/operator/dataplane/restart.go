package dataplane

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// RestartError is a restart that the API server rejected. It concerns one workload only.
type RestartError struct {
	Workload rollout.Ref
	Err      error
}

// Error names the workload.
func (e *RestartError) Error() string {
	return fmt.Sprintf("%s cannot be restarted: %v", e.Workload, e.Err)
}

// Unwrap returns the error of the API server.
func (e *RestartError) Unwrap() error { return e.Err }

// Restart makes a workload replace its pods, whose new sidecars are of a revision. It returns a *RestartError, which is a conflict when
// the workload has changed since it was observed. A second restart for the same revision is marked in the annotation.
func (p *Plane) Restart(ctx context.Context, ref rollout.Ref, revision string, at time.Time) error {
	object := objectOf(ref)
	if err := p.cache.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return &RestartError{ref, err}
	}
	earlier := parseRestart(stateOf(object).restart)
	annotation := formatRestart(rollout.Restart{Revision: revision, At: at, Retry: earlier.Revision == revision})
	patch := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`,
		object.GetResourceVersion(), names.RestartAnnotation, annotation)
	if err := p.writer.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner(apply.FieldManager)); err != nil {
		return &RestartError{ref, err}
	}
	return nil
}

// VersionOf returns a text that changes with the spec and labels of a workload and with the metadata of its namespace. It does not change
// with their status, which changes without a user.
func (p *Plane) VersionOf(ctx context.Context, ref rollout.Ref) string {
	object, namespace := objectOf(ref), &corev1.Namespace{}
	if p.cache.Get(ctx, client.ObjectKeyFromObject(object), object) != nil || p.namespaces.Get(ctx, client.ObjectKey{Name: ref.Namespace}, namespace) != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %s %s %s", object.GetUID(), object.GetGeneration(), labels.FormatLabels(object.GetLabels()),
		labels.FormatLabels(namespace.Labels), labels.FormatLabels(namespace.Annotations))
}

// formatRestart is the value of names.RestartAnnotation for a restart.
func formatRestart(r rollout.Restart) string {
	text := r.Revision + " " + r.At.UTC().Format(time.RFC3339)
	if r.Retry {
		text += " " + again
	}
	return text
}

// again marks a second restart for the same revision.
const again = "again"

// parseRestart reads the value of names.RestartAnnotation. A value that the operator did not write is no restart.
func parseRestart(text string) rollout.Restart {
	words := strings.Fields(text)
	if len(words) != 2 && (len(words) != 3 || words[2] != again) {
		return rollout.Restart{}
	}
	at, err := time.Parse(time.RFC3339, words[1])
	if err != nil {
		return rollout.Restart{}
	}
	return rollout.Restart{Revision: words[0], At: at, Retry: len(words) == 3}
}
