package status

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/ingest"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// JudgeRetry judges a Retry: itself, whether Retries act at all, and whether older ones speak about the same requests. The MeshConfig
// is in namespace.
func JudgeRetry(namespace string) Judge {
	return func(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) ([]metav1.Condition, error) {
		retry, problems := ingest.Retry(object)
		if retry == nil {
			return []metav1.Condition{condition(Accepted, ReasonAccepted, problems)}, nil
		}
		config := &configv1alpha2.MeshConfig{}
		if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: names.MeshConfig}, config); client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		if !config.Spec.FeatureFlags.EnableRetryPolicy {
			problems = append(problems, ingest.Problem{Reason: ReasonDisabled, Message: fmt.Sprintf(
				"Retry objects act only while spec.featureFlags.enableRetryPolicy of MeshConfig %s/%s is true, so this one does nothing: set it to true.", namespace, names.MeshConfig)})
		}
		// The namespace of a Retry decides nothing, so others may be anywhere.
		others, err := entriesLike(ctx, reader, traffic.Retry, "", sameSource(object), ingest.Retry)
		if err != nil {
			return nil, err
		}
		problems = append(problems, besideRetries(retry, others)...)
		return []metav1.Condition{condition(Accepted, ReasonAccepted, problems)}, nil
	}
}

// besideRetries tells for which destinations older Retries of the same client count.
func besideRetries(retry *catalog.Retry, others []*catalog.Retry) []ingest.Problem {
	var problems []ingest.Problem
	for _, destination := range retry.Destinations {
		older, found := olderThan(retry, others, func(other *catalog.Retry) bool {
			return other.Source == retry.Source && slices.Contains(other.Destinations, destination)
		})
		if found {
			problems = append(problems, conflict(
				"Retry %s, which is older, already says how service account %s repeats requests to Service %s, so this one does not: take the Service out of one of them.", older.Name, retry.Source, destination))
		}
	}
	return problems
}

// sameSource tells Retries of the same client.
func sameSource(object client.Object) func(*unstructured.Unstructured) bool {
	source := func(object client.Object) any {
		u, ok := object.(*unstructured.Unstructured)
		if !ok {
			return nil
		}
		field, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "source")
		return field
	}
	mine := source(object)
	return func(other *unstructured.Unstructured) bool { return reflect.DeepEqual(source(other), mine) }
}
