package revision

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
)

// A Deployment that somebody deleted has no desired number of pods, so none is printed.
func TestAssessNamesAnAbsentDeployment(t *testing.T) {
	got := assess(nil, []workload{{name: "osm-controller"}}, "")
	if want := "waiting for ready pods: osm-controller, whose Deployment does not exist"; got.State != conditions.Progressing || got.Message != want {
		t.Errorf("assess = %+v, want %s", got, want)
	}
}
