package removal

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Sidecars are removed under load. No request fails, neither from clients that still have a sidecar nor from those
// without one.
func TestSidecarsAreRemovedUnderLoad(t *testing.T) {
	m := newMesh(t, "leave", v1alpha1.SidecarsRestart)
	for _, app := range []string{"store", "ledger"} {
		lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policy, m.shop(), app)))
	}
	m.deploy("store", 2)
	m.deploySet("ledger", 2)
	m.deploy("cart", 1)
	buyer, visitor := m.pod(m.shop(), "buyer", ""), m.pod(m.shop(), "visitor", "disabled")
	m.awaitReady()
	loads := []load{m.startLoad("the buyer", buyer, "store", "60"), m.startLoad("the buyer", buyer, "ledger", "30")}
	if result, err := visitor.Requests(t.Context(), m.url("store")); err != nil || result.Outcomes["200"] > 0 {
		t.Fatalf("a request without a sidecar succeeded before the mesh was removed: %+v %v", result, err)
	}

	m.delete()
	m.awaitReason(v1alpha1.ReasonRemovingSidecars, "pass all traffic through")
	// From here on, requests succeed with and without a sidecar.
	loads = append(loads, m.startLoad("the visitor", visitor, "store", "60"), m.startLoad("the visitor", visitor, "ledger", "30"))
	m.testServerFirst(visitor, "store")
	m.testServerFirst(buyer, "store")
	m.awaitReason(v1alpha1.ReasonWaitingForSidecars, "1 pod has a sidecar", "Pod leave-shop/buyer")
	for _, app := range []string{"store", "ledger", "cart"} {
		if pods, injected, err := m.sidecars(t.Context(), app); err != nil || pods == 0 || injected > 0 {
			t.Errorf("%d of %d pods of %s have a sidecar (%v)", injected, pods, app, err)
		}
	}
	m.awaitReady()
	cart, err := cluster.Pod(t.Context(), m.shop(), lab.AppLabel, "cart")
	lab.Must(t, err)
	m.awaitAnswer(cluster.Agent(t.Context(), m.shop(), cart.Name, lab.AgentPort), "store")
	for _, s := range loads {
		m.finishLoad(s)
	}

	lab.Must(t, cluster.Client.Delete(t.Context(), &corev1.Pod{ObjectMeta: m.objectMeta("buyer")}))
	lab.Must(t, m.awaitGone(t.Context()))
	m.awaitNoObjects()
	m.checkUserObjects()
	m.awaitAnswer(m.pod(m.shop(), "later", ""), "store")
}

// testServerFirst runs a session in which the server speaks first.
func (m mesh) testServerFirst(agent *lab.Agent, app string) {
	m.t.Helper()
	start := time.Now()
	session, err := agent.Session(m.t.Context(), fmt.Sprintf("%s.%s:%d", app, m.shop(), lab.GreetPort), "--greeted")
	lab.Must(m.t, err)
	m.t.Logf("the greeting of the server arrived after %s", time.Since(start).Round(time.Millisecond))
	if session.Failure != "" || session.Greeting == "" {
		m.t.Errorf("session with %s: %+v", app, session)
	}
}

// checkUserObjects checks that the objects created by users are unchanged.
func (m mesh) checkUserObjects() {
	m.t.Helper()
	for _, userObject := range []struct {
		kind schema.GroupVersionKind
		name string
	}{
		{schema.GroupVersionKind{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"}, "store"},
		{schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "HTTPRouteGroup"}, "books"},
	} {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(userObject.kind)
		if err := cluster.Client.Get(m.t.Context(), client.ObjectKey{Namespace: m.shop(), Name: userObject.name}, object); err != nil {
			m.t.Errorf("object of a user: %v", err)
		}
	}
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.shop()}}
	lab.Must(m.t, cluster.Client.Get(context.Background(), client.ObjectKeyFromObject(shop), shop))
	if shop.Labels[names.MonitoredByLabel] != m.name || shop.Annotations[names.InjectionAnnotation] != "enabled" {
		m.t.Errorf("the namespace was changed: labels %v, annotations %v", shop.Labels, shop.Annotations)
	}
}
