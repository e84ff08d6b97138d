package dataplane

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestStrategiesThatEndAllPods has the kinds that are restarted although their strategy ends all pods at once. A plan says so.
func TestStrategiesThatEndAllPods(t *testing.T) {
	for _, kind := range []func(strategy string) client.Object{deploymentWith, deploymentConfigWith} {
		for strategy, want := range map[string]bool{"": false, "RollingUpdate": false, "Recreate": true} {
			object := kind(strategy)
			if _, err := strip(object); err != nil {
				t.Fatal(err)
			}
			if got := stateOf(object).atOnce; got != want {
				t.Errorf("%T with the strategy %q ends all pods at once: %t", object, strategy, got)
			}
		}
	}
}

func deploymentWith(strategy string) client.Object {
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Strategy: appsv1.DeploymentStrategy{Type: appsv1.DeploymentStrategyType(strategy)}}}
}

func deploymentConfigWith(strategy string) client.Object {
	object := newUnstructured(deploymentConfigKind, "shop", "cart")
	_ = unstructured.SetNestedField(object.Object, strategy, "spec", "strategy", "type")
	return object
}
