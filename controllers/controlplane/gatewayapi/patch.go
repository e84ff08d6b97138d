package gatewayapi

import (
	"context"
	"encoding/json"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
)

// Patch writes the fields of the status that have changed, and removes those that are empty now. Other controllers may write the same lists, so
// a patch of an outdated object is rejected. The watch then delivers its new version.
func Patch(
	ctx context.Context, c client.Client, object *unstructured.Unstructured, before, after any, options ...client.SubResourcePatchOption,
) error {
	earlier, err := json.Marshal(before)
	if err != nil {
		return err
	}
	current, err := json.Marshal(after)
	if err != nil {
		return err
	}
	changes, err := jsonpatch.CreateMergePatch(earlier, current)
	if err != nil || string(changes) == "{}" {
		return err
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": object.GetResourceVersion()}, "status": json.RawMessage(changes),
	})
	if err != nil {
		return err
	}
	err = c.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, patch), options...)
	if apierrors.IsConflict(err) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

// SetConditions sets conditions about a generation in a copy of the list.
func SetConditions(list *[]metav1.Condition, generation int64, conditions ...metav1.Condition) {
	*list = slices.Clone(*list)
	for _, c := range conditions {
		c.ObservedGeneration = generation
		meta.SetStatusCondition(list, c)
	}
}

// Condition returns the condition of a kind for a verdict.
func Condition(kind string, v gateway.Verdict) metav1.Condition {
	status := metav1.ConditionFalse
	if v.OK {
		status = metav1.ConditionTrue
	}
	return metav1.Condition{Type: kind, Status: status, Reason: v.Reason, Message: message.ForCondition(v.Message)}
}

// ReadStatus reads the metadata and the status of an object, whose spec may be unreadable.
func ReadStatus[T any](object *unstructured.Unstructured) (*T, error) {
	typed := new(T)
	content := map[string]any{"metadata": object.Object["metadata"]}
	if found, ok := object.Object["status"]; ok {
		content["status"] = found
	}
	return typed, runtime.DefaultUnstructuredConverter.FromUnstructured(content, typed)
}
