package dryrun_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
)

// TestEveryKindOfComponentsIsPlanned applies an object of each kind that components have. The scheme lacks most kinds that are not Kubernetes' own,
// such as GatewayClasses and PodMonitors.
func TestEveryKindOfComponentsIsPlanned(t *testing.T) {
	cluster, c := newDryRun(t)
	var want []string
	for _, component := range builtin.All() {
		for _, kind := range component.Requires() {
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(kind.GroupVersionKind)
			object.SetNamespace("osm")
			object.SetName("x")
			if err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("osm"), client.ForceOwnership); err != nil {
				t.Errorf("%s of %s: %v", kind.Kind, component.Name(), err)
			}
			want = append(want, kind.Kind)
		}
	}
	slices.Sort(want)
	var got []string
	for _, change := range cluster.Changes() {
		got = append(got, change.Kind.Kind)
	}
	slices.Sort(got)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("the plan has %v, want %v", got, want)
	}
}
