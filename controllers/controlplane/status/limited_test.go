package status

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

func limited(accounts ...string) report.Rejections {
	return report.Rejections{Limited: []report.LimitedPolicy{{Kind: "TrafficTarget", Namespace: "shop", Name: "target", ServiceAccounts: accounts}}}
}

// TestLimitedPoliciesHaveACondition checks the condition of a TrafficTarget while it has too many routes.
func TestLimitedPoliciesHaveACondition(t *testing.T) {
	stored := target(rule("HTTPRouteGroup", "none"))
	writer := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(stored, account("shop", "web"), account("shop", "client")).WithStatusSubresource(stored).Build()
	r := &Reconciler{
		Client: writer, Recorder: events.NewFakeRecorder(10), Leader: &Leader{}, Kind: kinds.Object(kinds.TrafficTarget), Rejections: noRejections(), InMesh: always,
		Evaluate: evaluatorOf(meshOf(t, stored, account("shop", "web"), account("shop", "client"))).evaluate,
	}
	r.Leader.leading.Store(true)
	request := ctrl.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: "target"}}
	accepted := func() *metav1.Condition {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		if err := writer.Get(t.Context(), request.NamespacedName, stored); err != nil {
			t.Fatal(err)
		}
		conditions, err := kinds.ConditionsOf(stored)
		if err != nil {
			t.Fatal(err)
		}
		return meta.FindStatusCondition(conditions, kinds.ConditionAccepted)
	}
	r.Rejections.update(limited("shop/web"), nil, true)
	const want = "Some ports deny all requests of the mesh in the sidecars of service accounts shop/web, because the routes and clients of all ports of a pod exceed 50000: " +
		"use fewer ports, matches or sources."
	if got := accepted(); got.Status != metav1.ConditionFalse || got.Reason != kinds.ReasonTooManyRoutes || got.Message != want {
		t.Errorf("while it is limited: %+v", got)
	}
	both := limited("shop/web")
	both.Rejections = []report.Rejection{rejection("target", "shop/web", "shop/web-1")}
	r.Rejections.update(both, nil, true)
	if got := accepted(); got.Reason != kinds.ReasonRejectedByProxy || !strings.HasSuffix(got.Message, want) {
		t.Errorf("while it is rejected, too: %+v", got)
	}
	r.Rejections.update(report.Rejections{}, nil, true)
	if got := accepted(); got.Status != metav1.ConditionTrue {
		t.Errorf("afterwards: %+v", got)
	}
}

// TestLimitedPolicies_MergeReplicas checks which sidecars a condition names, and which updates are changes.
func TestLimitedPolicies_MergeReplicas(t *testing.T) {
	r := noRejections()
	r.Watch(kinds.TrafficTarget)
	policy := policyKey{"TrafficTarget", "shop", "target"}
	answer := func(value report.Rejections) []client.Answer[report.Rejections] {
		return []client.Answer[report.Rejections]{{Replica: "one", Value: value}}
	}
	more := limited("shop/a")
	more.Limited[0].More = 1
	for _, step := range []struct {
		name       string
		own, other report.Rejections
		changed    bool
		want       string
	}{
		{"one replica", limited("shop/b"), report.Rejections{}, true, "the sidecars of service accounts shop/b"},
		{"the same account in another one", limited("shop/b"), limited("shop/b"), false, "the sidecars of service accounts shop/b"},
		{"another account", limited("shop/b"), limited("shop/a"), true, "the sidecars of service accounts shop/a, shop/b"},
		{"accounts that are not named", limited("shop/b"), more, true, "the sidecars of service accounts shop/a, shop/b and others"},
		{"many accounts", limited("shop/b"), limited("shop/a", "shop/c", "shop/d"), true, "the sidecars of service accounts shop/a, shop/b, shop/c and others"},
		{"shared destinations", limited("shop/b"), limited(), true, "the sidecars of all clients"},
		{"none", report.Rejections{}, report.Rejections{}, true, ""},
	} {
		changes, _ := r.update(step.own, answer(step.other), true)
		if got := r.limitedIn(policy.kind, policy.namespace, policy.name); got != step.want || slices.Contains(changes, policy) != step.changed {
			t.Errorf("%s: %q, want %q; changes: %v", step.name, got, step.want, changes)
		}
	}
}

// TestLimitEffect checks that the condition of each kind has its effect.
func TestLimitEffect(t *testing.T) {
	for kind, want := range map[string]string{
		"TrafficTarget": "deny all requests of the mesh in X, because the routes and clients", "IngressBackend": "deny all requests from outside in X",
		"TrafficSplit": "go to the destination of all others in X", "Egress": "Some hosts, ranges or matches are left out in X",
		"Telemetry":              "The log has the default format without attributes in X, because it is too long",
		"UpstreamTrafficSetting": "deny all requests of the mesh in X, because the routes of all ports of a pod, with their limits",
	} {
		if got := limitedCondition(kind, "X", metav1.Condition{Status: metav1.ConditionFalse, Message: "Also."}).Message; !strings.Contains(got, want) || !strings.HasSuffix(got, " Also.") {
			t.Errorf("%s: %s", kind, got)
		}
	}
}
