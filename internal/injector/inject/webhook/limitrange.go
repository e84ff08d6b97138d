package webhook

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// limitedResources returns the resources for which a LimitRange of the namespace gives containers without values their defaults, sorted.
func limitedResources(ctx context.Context, reader client.Reader, namespace string) ([]corev1.ResourceName, error) {
	ranges := &corev1.LimitRangeList{}
	if err := reader.List(ctx, ranges, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("the LimitRanges of namespace %s cannot be read: %w", namespace, err)
	}
	var limited []corev1.ResourceName
	for _, object := range ranges.Items {
		for _, item := range object.Spec.Limits {
			// The API server has set each default that follows from another value of the item.
			for name := range item.DefaultRequest {
				limited = append(limited, name)
			}
		}
	}
	slices.Sort(limited)
	return slices.Compact(limited), nil
}
