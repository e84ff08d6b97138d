package mesh

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/meshconfig"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A policy engine that rejects one definition keeps the operator from none of the others.
func TestRejectedDefinitionStopsNoOther(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apiextensionsv1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	var applied []string
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(_ context.Context, _ client.WithWatch, object runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
			name := object.(interface{ GetName() string }).GetName()
			if name == "b.example.com" {
				return errors.New("denied by policy")
			}
			applied = append(applied, name)
			return nil
		},
	}).Build()
	r := &Reconciler{Cluster: &observe.Cluster{Client: c, Live: c}, Applier: apply.New(c, events.NewFakeRecorder(10))}
	for _, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		definition := &unstructured.Unstructured{}
		definition.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
		definition.SetName(name)
		r.Definitions = append(r.Definitions, definition)
	}
	mesh := &v1alpha1.Mesh{}
	mesh.Name = names.Controller
	err := r.reconcileDefinitions(t.Context(), &pass{mesh: mesh, session: r.Applier.For(mesh)})
	if err == nil || !strings.Contains(err.Error(), "b.example.com") || !strings.Contains(err.Error(), "denied by policy") {
		t.Errorf("error %v, want the rejected definition and the answer", err)
	}
	if !slices.Equal(applied, []string{"a.example.com", "c.example.com"}) {
		t.Errorf("applied %v, want the first and the last", applied)
	}
}

// A quota that rejects the backup of the MeshConfig does not keep the operator from assessing it.
func TestRejectedBackupIsNoReasonToIgnoreTheMeshConfig(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, configv1alpha2.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	mesh, live := &v1alpha1.Mesh{}, &configv1alpha2.MeshConfig{}
	mesh.Name, mesh.UID = names.DefaultMesh, "1"
	live.Namespace, live.Name = names.DefaultNamespace, names.MeshConfig
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(live).WithStatusSubresource(live).WithInterceptorFuncs(interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, object runtime.ApplyConfiguration, options ...client.ApplyOption) error {
			if object.(interface{ GetKind() string }).GetKind() == "ConfigMap" {
				return errors.New("exceeded quota: configmaps")
			}
			return c.Apply(ctx, object, options...)
		},
	}).Build()
	cluster := &observe.Cluster{Client: c, Live: c, Catalogue: &operand.Catalogue{}, Now: time.Now}
	recorder := events.NewFakeRecorder(10)
	r := &Reconciler{Cluster: cluster, MeshConfigs: &meshconfig.Reconciler{Cluster: cluster, Applier: apply.New(c, recorder), Recorder: recorder}}
	p := &pass{mesh: mesh, session: r.MeshConfigs.Applier.For(mesh)}
	if err := r.reconcileMeshConfig(t.Context(), p); err == nil || !strings.Contains(err.Error(), "exceeded quota") {
		t.Errorf("error %v, want the answer about the backup", err)
	}
	if p.configuration == nil {
		t.Error("the MeshConfig is not assessed")
	}
}

// A phase that fails keeps no independent one from running, and one that is stalled keeps none from being retried.
func TestIndependently(t *testing.T) {
	stalled, denied := &observe.StalledError{Reason: "Claimed", Message: "claimed"}, errors.New("denied")
	for name, c := range map[string]struct {
		first, second error
		stalled       bool
		texts         []string
	}{
		"both succeed":      {nil, nil, false, nil},
		"the first fails":   {denied, nil, false, []string{"denied"}},
		"one is stalled":    {nil, stalled, true, []string{"claimed"}},
		"both are stalled":  {stalled, stalled, true, []string{"claimed"}},
		"fails and stalled": {denied, stalled, false, []string{"denied", "claimed"}},
	} {
		ran := 0
		end := func(err error) phase {
			return func(context.Context, *pass) error { ran++; return err }
		}
		err := independently(end(c.first), end(c.second))(t.Context(), &pass{})
		if ran != 2 || (err == nil) != (len(c.texts) == 0) || observe.IsStalledError(err) != c.stalled {
			t.Errorf("%s: %d phases ran, error %v", name, ran, err)
		}
		for _, text := range c.texts {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: error %v, want %q in it", name, err, text)
			}
		}
	}
}
