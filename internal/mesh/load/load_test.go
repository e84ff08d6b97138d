package load_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/testing/loadtest"
)

func TestFromObjects(t *testing.T) {
	mine := loadtest.Parse(t)[:5]
	loaded, err := load.FromObjects("osm", loadtest.Scheme(t), mine)
	if err != nil {
		t.Fatal(err)
	}
	loadtest.Check(t, loaded)
	if !loaded.Catalog.View().Settings().Permissive {
		t.Error("the MeshConfig was not used")
	}
}
