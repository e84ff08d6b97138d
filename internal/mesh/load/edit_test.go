package load_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/testing/loadtest"
)

// An edited clone equals the mesh of the edited objects, and the original is unchanged.
func TestEdit_OfClone(t *testing.T) {
	all := loadtest.Parse(t)
	known := loadtest.Scheme(t)
	loadAll := func(objects ...*unstructured.Unstructured) *load.Loaded {
		loaded, err := load.FromObjects("osm", known, objects)
		if err != nil {
			t.Fatal(err)
		}
		return loaded
	}
	before := loadAll(all[:5]...)
	moved := all[1].DeepCopy()
	moved.Object["spec"].(map[string]any)["selector"] = map[string]any{"app": "other"}
	edited := before.Clone()
	touched, err := edited.Edit("osm", known, []*unstructured.Unstructured{moved, all[6]}, []*unstructured.Unstructured{all[3]})
	if err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreFields(load.Loaded{}, "Catalog")
	if diff := cmp.Diff(loadAll(all[0], moved, all[2], all[4]), edited, ignore, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})); diff != "" {
		t.Errorf("the edited clone differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(loadAll(all[:5]...), before, ignore, cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{})); diff != "" {
		t.Errorf("the original has changed (-want +got):\n%s", diff)
	}
	web := entity.Name{Namespace: "shop", Name: "web"}
	if backers := edited.Catalog.View().ServiceIdentities(web); len(backers) != 0 {
		t.Errorf("%v are behind shop/web, which selects no pods", backers)
	}
	found := false
	for _, dep := range touched {
		found = found || dep == entity.DepServiceIdentities.Of(web)
	}
	if !found {
		t.Errorf("the changed dependencies %v lack the backers of shop/web", touched)
	}
}

func TestKinds(t *testing.T) {
	kinds, err := load.Kinds("osm", loadtest.Scheme(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range loadtest.Parse(t) {
		_, known := kinds[object.GroupVersionKind().GroupKind()]
		if want := object.GetKind() != "ConfigMap"; known != want {
			t.Errorf("%s: known is %t", object.GetKind(), known)
		}
	}
}
