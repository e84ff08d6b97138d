package gateway

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// claimOf returns the claim of the first listener of a Gateway, and since when it has it.
func (f *fixture) claimOf(t *testing.T, gateway string) (string, time.Time) {
	t.Helper()
	var g gatewayv1.Gateway
	f.get(t, kinds.Gateway, gateway, &g)
	if c := meta.FindStatusCondition(g.Status.Listeners[0].Conditions, ingest.ConditionHostClaimed); c != nil {
		return c.Message, c.LastTransitionTime.Time
	}
	return "", time.Time{}
}

// edit changes the first listener of a Gateway.
func (f *fixture) edit(t *testing.T, gateway string, change func(listener map[string]any)) {
	t.Helper()
	object := kinds.Object(kinds.Gateway)
	if err := f.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: gateway}, object); err != nil {
		t.Fatal(err)
	}
	listeners, _, _ := unstructured.NestedSlice(object.Object, "spec", "listeners")
	listener, _ := listeners[0].(map[string]any)
	change(listener)
	if err := unstructured.SetNestedSlice(object.Object, listeners, "spec", "listeners"); err != nil {
		t.Fatal(err)
	}
	if err := f.Client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// TestStatusRecordsClaims checks that a listener keeps its claim across restarts and edits of other fields, against an older Gateway that is edited
// later, and that another hostname is a new claim.
func TestStatusRecordsClaims(t *testing.T) {
	f := newFixture(t, secret(t), unread(t, `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: older, namespace: shop, creationTimestamp: "2020-01-01T00:00:00Z"}
spec: {gatewayClassName: osm, listeners: [{name: x, port: 80, protocol: HTTP, hostname: x.example}]}
`))
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.now = start
	f.reconcile(t)
	if claim, at := f.claimOf(t, "web"); claim != "HTTP on port 80 for all hosts" || !at.Equal(start) {
		t.Fatalf("claim %q since %s", claim, at)
	}
	f.now = start.Add(time.Hour)
	f.edit(t, "older", func(listener map[string]any) { delete(listener, "hostname") })
	f.edit(t, "web", func(listener map[string]any) {
		listener["allowedRoutes"] = map[string]any{"namespaces": map[string]any{"from": "All"}}
	})
	f.reconcile(t)
	if claim, at := f.claimOf(t, "web"); claim != "HTTP on port 80 for all hosts" || !at.Equal(start) {
		t.Errorf("the claim is %q since %s, want the first one", claim, at)
	}
	if claim, _ := f.claimOf(t, "older"); claim != "" {
		t.Errorf("the Gateway that asks later has the claim %q", claim)
	}
	f.edit(t, "web", func(listener map[string]any) { listener["hostname"] = "web.example" })
	f.reconcile(t)
	if claim, at := f.claimOf(t, "web"); claim != "HTTP on port 80 for web.example" || !at.Equal(f.now) {
		t.Errorf("after an edit of the hostname the claim is %q since %s", claim, at)
	}
	if claim, at := f.claimOf(t, "older"); claim != "HTTP on port 80 for all hosts" || !at.Equal(f.now) {
		t.Errorf("the other Gateway has the claim %q since %s, want what is free now", claim, at)
	}
}
