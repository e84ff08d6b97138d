package takeover

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// fixedCalls counts how often they are read.
type fixedCalls struct {
	err  error
	read int
}

var webAccount, apiAccount = identity.ServiceAccount{Namespace: "shop", Name: "web"}, identity.ServiceAccount{Namespace: "shop", Name: "api"}

func (c *fixedCalls) Calls(context.Context) ([]rollout.Call, error) {
	c.read++
	return []rollout.Call{{Source: webAccount, Destination: apiAccount}}, c.err
}

// loads are a caller and what it calls, with sidecars of a revision.
func loads(revision string) (list []rollout.Workload) {
	for _, account := range []identity.ServiceAccount{webAccount, apiAccount} {
		list = append(list, rollout.Workload{
			Ref:      rollout.Ref{Kind: "Deployment", Namespace: account.Namespace, Name: account.Name},
			Accounts: []identity.ServiceAccount{account}, Sidecars: map[string]int{revision: 1}, Ready: true,
		})
	}
	return list
}

// adopting is a Mesh with a declared step and a step in effect; without a declared one it takes nothing over.
func adopting(declared, inEffect v1alpha1.AdoptionStep) *v1alpha1.Mesh {
	mesh := &v1alpha1.Mesh{}
	if declared != "" {
		mesh.Spec.Adoption = &v1alpha1.AdoptionSpec{From: ptr.To("osm-system"), Step: &declared}
		mesh.Status.Adoption = &v1alpha1.AdoptionStatus{From: "osm-system", Step: string(inEffect)}
	}
	return mesh
}

// TestOrder checks which of two workloads restarts first in a mesh.
func TestOrder(t *testing.T) {
	forward := adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionRestarting)
	back := adopting(v1alpha1.AdoptionPrepared, v1alpha1.AdoptionPrepared)
	deleted := adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionPrepared)
	deleted.DeletionTimestamp = &metav1.Time{}
	denied := errors.New("no permission")
	for name, c := range map[string]struct {
		mesh       *v1alpha1.Mesh
		revision   string
		permissive bool
		err        error
		// waiting is the workload that waits; empty if both restart. unordered is a part of the message, and read whether calls are needed.
		waiting, unordered string
		read               bool
	}{
		"after a removed one":              {mesh: adopting("", ""), revision: "", waiting: "api", read: true},
		"no sidecars of another mesh":      {mesh: adopting("", ""), revision: "osm-v0-1-0"},
		"no restarts yet":                  {mesh: adopting(v1alpha1.AdoptionInjecting, v1alpha1.AdoptionInjecting), revision: ""},
		"going forward":                    {mesh: forward, revision: "", waiting: "api", read: true},
		"going forward in permissive mode": {mesh: forward, revision: "", permissive: true},
		"an upgrade during a takeover":     {mesh: forward, revision: "osm-v0-1-0"},
		"without the calls":                {mesh: forward, revision: "", err: denied, unordered: "no permission", read: true},
		"going back":                       {mesh: back, revision: "osm-v0-1-0", waiting: "web", read: true},
		"nothing to go back from":          {mesh: back, revision: ""},
		"deleting the Mesh":                {mesh: deleted, revision: "osm-v0-1-0", waiting: "web", read: true},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := configv1alpha2.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			config := &configv1alpha2.MeshConfig{ObjectMeta: metav1.ObjectMeta{Namespace: "osm-mesh", Name: names.MeshConfig}}
			config.Spec.Traffic.EnablePermissiveTrafficPolicyMode = c.permissive
			calls := &fixedCalls{err: c.err}
			ordering := Ordering{Reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(config).Build(), Calls: calls}
			workloads := loads(c.revision)
			order, err := ordering.order(t.Context(), c.mesh, "osm-mesh", workloads)
			if err != nil {
				t.Fatal(err)
			}
			wave := rollout.NextWave(workloads, "target", rollout.Limits{MaxUnavailable: intstr.FromInt32(2), Order: order}, metav1.Now().Time)
			var waiting []string
			for _, note := range wave.Waiting {
				waiting = append(waiting, note.Ref.Name)
			}
			if got := strings.Join(waiting, " "); got != c.waiting || (calls.read > 0) != c.read || !strings.Contains(wave.Unordered, c.unordered) {
				t.Errorf("%q waits, calls were read %d times, %q; want %q, %t, %q", got, calls.read, wave.Unordered, c.waiting, c.read, c.unordered)
			}
		})
	}
}

// Nobody knows the mode without the settings, and restarts go on.
func TestOrderWithoutSettings(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := configv1alpha2.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	ordering := Ordering{Reader: fake.NewClientBuilder().WithScheme(scheme).Build(), Calls: &fixedCalls{}}
	mesh := adopting(v1alpha1.AdoptionRestarting, v1alpha1.AdoptionRestarting)
	if order, err := ordering.order(t.Context(), mesh, "osm-mesh", loads("")); order != nil || err != nil {
		t.Errorf("the order is %+v (%v)", order, err)
	}
}
