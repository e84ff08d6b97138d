package loglevel_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/controllers/operator/loglevel"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// TestLevelIsLive changes the level of two meshes, and deletes one. A logger that exists already follows.
func TestLevelIsLive(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).Build()
	logger := logging.New("info")
	derived := logger.WithName("controller")
	reconciler := &loglevel.Reconciler{Client: c, Flag: "info", Set: logger.SetLevel}
	mesh := func(name, level string) *v1alpha1.Mesh {
		return &v1alpha1.Mesh{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       v1alpha1.MeshSpec{ControlPlane: &v1alpha1.ControlPlaneSpec{LogLevel: ptr.To(level)}},
		}
	}
	for _, step := range []struct {
		name         string
		change       func() error
		debug, trace bool
	}{
		{"a mesh without a level", func() error { return c.Create(t.Context(), &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "one"}}) }, false, false},
		{"another one with debug", func() error { return c.Create(t.Context(), mesh("two", "debug")) }, true, false},
		{"a third one with trace", func() error { return c.Create(t.Context(), mesh("three", "trace")) }, true, true},
		{"the third one is deleted", func() error { return c.Delete(t.Context(), mesh("three", "")) }, true, false},
		{"the second one has error", func() error {
			return c.Patch(t.Context(), mesh("two", ""), client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"controlPlane":{"logLevel":"error"}}}`)))
		}, false, false},
	} {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		if _, err := reconciler.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		if !derived.Enabled() || derived.V(1).Enabled() != step.debug || derived.V(2).Enabled() != step.trace {
			t.Errorf("%s: info %t, debug %t, trace %t; want true, %t, %t", step.name, derived.Enabled(), derived.V(1).Enabled(), derived.V(2).Enabled(), step.debug, step.trace)
		}
	}
}
