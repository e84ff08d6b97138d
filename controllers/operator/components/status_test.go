package components

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

// TestManyRejectedObjectsAreReported rejects one object of a component in each of 500 namespaces, as a policy engine does. The API server rejects
// a status with a condition of more than 32,768 characters, and the Mesh would not show why anything fails.
func TestManyRejectedObjectsAreReported(t *testing.T) {
	r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
	var rejections []string
	for i := range 500 {
		rejections = append(rejections, fmt.Sprintf("Role team-%d/osm-prometheus cannot be applied: admission webhook \"policy.example.com\" denied the request: no Roles", i))
	}
	statuses := []v1alpha1.ComponentStatus{
		{Name: "prometheus", Reason: v1alpha1.ReasonApplyFailed, Message: strings.Join(rejections, "\n")},
		{Name: "services", Reason: v1alpha1.ReasonApplyFailed, Message: "Service osm-controller cannot be applied: exceeded quota"},
	}
	written := 0
	r.Client = interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
		SubResourceApply: func(context.Context, client.Client, string, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
			written++
			return nil
		},
	})
	r.Status.Client = r.Client
	for range 2 {
		if err := r.writeStatus(t.Context(), r.Applier.For(mesh), mesh, statuses); err != nil {
			t.Fatal(err)
		}
	}
	condition := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionComponentsReady)
	if len(condition.Message) > 4096 || !containsAll(condition.Message, "team-0/osm-prometheus", "policy.example.com", "services: Service osm-controller cannot be applied") {
		t.Errorf("the condition has %d bytes, want at most 4096 that name both components: %.300s", len(condition.Message), condition.Message)
	}
	if got := len(mesh.Status.Components[0].Message); got > 4096 || written != 1 {
		t.Errorf("the message of the component has %d bytes, and it was written %d times; want at most 4096 and once", got, written)
	}
}

// TestInventoryIsNotLost reads a Mesh that is older than the last write, as a cache does directly after one. The reference that was added in between would be
// lost, and its object never removed.
func TestInventoryIsNotLost(t *testing.T) {
	r, mesh := meshWithPrometheus(t, v1alpha1.PrometheusManaged)
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(mesh), mesh); err != nil {
		t.Fatal(err)
	}
	old := mesh.DeepCopy()
	component := func(objects ...v1alpha1.ObjectReference) []v1alpha1.ComponentStatus {
		return []v1alpha1.ComponentStatus{{Name: "prometheus", Reason: v1alpha1.ReasonProgressing, Objects: objects}}
	}
	first := v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "osm-system", Name: "first"}
	second := v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "osm-system", Name: "second"}
	if err := r.writeStatus(t.Context(), nil, mesh, component(first)); err != nil {
		t.Fatal(err)
	}
	if err := r.writeStatus(t.Context(), nil, mesh, component(first, second)); err != nil {
		t.Errorf("the Mesh that was just written is said to be old: %v", err)
	}
	if err := r.writeStatus(t.Context(), nil, old, component(first)); !apierrors.IsConflict(err) {
		t.Errorf("the inventory of an older Mesh is written: error %v, want a conflict", err)
	}
}

// Without the definitions of the Gateway API, the message has the command that installs them, in the release that go.mod names.
func TestMissingGatewayAPIHasARemedy(t *testing.T) {
	got := remedyOf([]string{"GatewayClass gateway.networking.k8s.io/v1"})
	module, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`sigs.k8s.io/gateway-api (v\S+)`).FindStringSubmatch(string(module))
	if version == nil || !strings.Contains(got, "/"+version[1]+"/standard-install.yaml") {
		t.Errorf("the remedy %q does not install %v", got, version)
	}
	if got := remedyOf([]string{"Certificate cert-manager.io/v1"}); got != "" {
		t.Errorf("the remedy for other kinds is %q", got)
	}
}
