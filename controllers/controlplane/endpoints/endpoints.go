package endpoints

import (
	"context"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// HasReady reports whether a pod of a Service accepts connections.
func HasReady(ctx context.Context, reader client.Reader, service client.ObjectKey) (bool, error) {
	var slices discoveryv1.EndpointSliceList
	if err := reader.List(ctx, &slices, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name}); err != nil {
		return false, err
	}
	for i := range slices.Items {
		for _, endpoint := range slices.Items[i].Endpoints {
			if ptr.Deref(endpoint.Conditions.Ready, false) {
				return true, nil
			}
		}
	}
	return false, nil
}
