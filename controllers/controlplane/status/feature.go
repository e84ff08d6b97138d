package status

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// disabledFeature returns a problem if a switch of the MeshConfig in a namespace disables the kind of objects.
func disabledFeature(ctx context.Context, reader client.Reader, namespace string, gvk schema.GroupVersionKind) ([]ingest.Problem, error) {
	kind, _ := kinds.Lookup(gvk.GroupKind())
	config := &configv1alpha2.MeshConfig{}
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.MeshConfig}, config); client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if kind.Feature == nil || kind.Feature.Enabled(config.Spec.FeatureFlags) {
		return nil, nil
	}
	return []ingest.Problem{{Reason: kinds.ReasonDisabled, Message: fmt.Sprintf(
		"%s objects have an effect only while spec.featureFlags.%s of MeshConfig %s/%s is true: set it to true.", kind.Kind, kind.Feature.Field, namespace, names.MeshConfig)}}, nil
}
