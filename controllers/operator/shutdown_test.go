package operator_test

import (
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/controllers/operator"
)

// TestPodStopsAfterItsControllers checks that Kubernetes does not kill the operator while it ends what it does.
func TestPodStopsAfterItsControllers(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../config/manager/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(text, &deployment); err != nil {
		t.Fatal(err)
	}
	grace := time.Duration(*deployment.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second
	if grace <= operator.GracefulShutdown {
		t.Errorf("the pod has %s to stop, and the controllers %s", grace, operator.GracefulShutdown)
	}
}
