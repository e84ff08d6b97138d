package status

import (
	"reflect"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// Two owners of a field would overwrite each other, and a field without one is never written.
func TestEachFieldOfTheStatusHasOneOwner(t *testing.T) {
	owners := map[string][]string{}
	for _, owner := range []Owner{Mesh, Certificates, Trust, Rollout, Teardown, Takeover, Plan, Components} {
		for _, field := range owner.Fields {
			owners[field] = append(owners[field], owner.Manager)
		}
		for _, condition := range owner.Conditions {
			owners["condition "+condition] = append(owners["condition "+condition], owner.Manager)
		}
	}
	for field, managers := range owners {
		if len(managers) != 1 {
			t.Errorf("%s has the owners %v", field, managers)
		}
	}
	of := reflect.TypeFor[v1alpha1.MeshStatus]()
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if name != "conditions" && len(owners[name]) == 0 {
			t.Errorf("status.%s has no owner", name)
		}
	}
}
