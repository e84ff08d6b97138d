package cli

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// TestFailedUpgradeSaysHowToGoBack names the version that ran before, unless nothing else is desired.
func TestFailedUpgradeSaysHowToGoBack(t *testing.T) {
	failed := errors.New("it timed out")
	before, live := &v1alpha1.Mesh{}, &v1alpha1.Mesh{}
	live.Name = "osm"
	before.Status.Version, live.Spec.Version = "v0.4.0", ptr.To("v0.5.0")
	err := withRollbackCommand(failed, before, live)
	if !errors.Is(err, failed) || !strings.Contains(err.Error(), "`osm mesh upgrade --mesh-name osm --version v0.4.0`") {
		t.Errorf("the error is %v", err)
	}
	live.Spec.Version = ptr.To("v0.4.0")
	if err := withRollbackCommand(failed, before, live); err.Error() != failed.Error() {
		t.Errorf("for the same version, the error is %v", err)
	}
}
