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
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Sidecars are taken out of a mesh under load. No request fails, neither of those who still have a sidecar nor of those who have none
// any more.
func TestSidecarsAreTakenOutUnderLoad(t *testing.T) {
	m := newMesh(t, "leave", v1alpha1.SidecarsRestart)
	for _, app := range []string{"store", "ledger"} {
		must(t, cluster.Put(t.Context(), fmt.Sprintf(policy, m.shop(), app)))
	}
	m.deploy("store", 2)
	m.deploySet("ledger", 2)
	m.deploy("cart", 1)
	buyer, visitor := m.pod(m.shop(), "buyer", ""), m.pod(m.shop(), "visitor", "disabled")
	m.ready()
	streams := []stream{m.begin("the buyer", buyer, "store", "60"), m.begin("the buyer", buyer, "ledger", "30")}
	if result, err := visitor.Requests(t.Context(), m.url("store")); err != nil || result.Outcomes["200"] > 0 {
		t.Fatalf("a pod without a sidecar was answered before the mesh was removed: %+v %v", result, err)
	}

	m.delete()
	m.says(v1alpha1.ReasonRemovingSidecars, "send everything as it is")
	// From here on it makes no difference who has a sidecar.
	streams = append(streams, m.begin("the visitor", visitor, "store", "60"), m.begin("the visitor", visitor, "ledger", "30"))
	m.greeted(visitor, "store")
	m.greeted(buyer, "store")
	m.says(v1alpha1.ReasonWaitingForSidecars, "1 pod has a sidecar", "Pod leave-shop/buyer")
	for _, app := range []string{"store", "ledger", "cart"} {
		if pods, injected, err := m.sidecars(t.Context(), app); err != nil || pods == 0 || injected > 0 {
			t.Errorf("%d of %d pods of %s have a sidecar (%v)", injected, pods, app, err)
		}
	}
	m.ready()
	cart, err := cluster.Pod(t.Context(), m.shop(), lab.AppLabel, "cart")
	must(t, err)
	m.answered(cluster.Agent(t.Context(), m.shop(), cart.Name, lab.AgentPort), "store")
	for _, s := range streams {
		m.end(s)
	}

	must(t, cluster.Client.Delete(t.Context(), &corev1.Pod{ObjectMeta: m.named("buyer")}))
	must(t, m.gone(t.Context()))
	m.leavesNothing()
	m.keepsWhatUsersMade()
	m.answered(m.pod(m.shop(), "later", ""), "store")
}

// greeted holds a conversation in which the server speaks first.
func (m mesh) greeted(agent *lab.Agent, app string) {
	m.t.Helper()
	start := time.Now()
	session, err := agent.Session(m.t.Context(), fmt.Sprintf("%s.%s:%d", app, m.shop(), lab.GreetPort), "--greeted")
	must(m.t, err)
	m.t.Logf("a server that speaks first was heard after %s", time.Since(start).Round(time.Millisecond))
	if session.Failure != "" || session.Greeting == "" {
		m.t.Errorf("a conversation with %s ended so: %+v", app, session)
	}
}

// keepsWhatUsersMade looks for what users wrote.
func (m mesh) keepsWhatUsersMade() {
	m.t.Helper()
	for _, made := range []struct {
		kind schema.GroupVersionKind
		name string
	}{
		{schema.GroupVersionKind{Group: "access.smi-spec.io", Version: "v1alpha3", Kind: "TrafficTarget"}, "store"},
		{schema.GroupVersionKind{Group: "specs.smi-spec.io", Version: "v1alpha4", Kind: "HTTPRouteGroup"}, "books"},
	} {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(made.kind)
		if err := cluster.Client.Get(m.t.Context(), client.ObjectKey{Namespace: m.shop(), Name: made.name}, object); err != nil {
			m.t.Errorf("what a user made: %v", err)
		}
	}
	shop := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.shop()}}
	must(m.t, cluster.Client.Get(context.Background(), client.ObjectKeyFromObject(shop), shop))
	if shop.Labels[names.MonitoredByLabel] != m.name || shop.Annotations[names.InjectionAnnotation] != "enabled" {
		m.t.Errorf("the namespace was changed: labels %v, annotations %v", shop.Labels, shop.Annotations)
	}
}
