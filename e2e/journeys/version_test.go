package journeys

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The builder sets the version with a flag of the linker that names a variable. A flag with a wrong name has no effect and is no error.
func TestImageReportsItsVersion(t *testing.T) {
	output, err := cluster.Kubectl(t.Context(), "exec", "--namespace", names.OperatorNamespace, "deployment/osm-operator", "--", "/osm-operator", "--version")
	lab.Must(t, err)
	if got := strings.TrimSpace(output); got != cluster.Version {
		t.Errorf("the image reports the version %q, want %q", got, cluster.Version)
	}
}
