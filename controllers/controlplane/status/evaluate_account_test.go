package status

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

func account(namespace, name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// A typing error in an account of a TrafficTarget is reported in its condition ResolvedRefs.
func TestAccountsOfTargets(t *testing.T) {
	grant := target(rule("TCPRoute", "ports"))
	route := object(kinds.TCPRoute, "ports", 1, map[string]any{})
	for _, test := range []evaluateCase{
		{"both exist", EvaluateTarget, grant, []client.Object{route, account("shop", "web"), account("shop", "client")}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{
			"no destination", EvaluateTarget, grant,
			[]client.Object{route, account("shop", "client"), account("other", "web")},
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"ServiceAccount shop/web of spec.destination does not exist, so the policy grants nothing: create it, or correct the name.",
		},
		{
			"no source", EvaluateTarget, grant,
			[]client.Object{route, account("shop", "web")},
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"ServiceAccount shop/client of spec.sources does not exist, so nothing is granted to it: create it, or correct the name.",
		},
	} {
		t.Run(test.name, func(t *testing.T) { test.checkAlone(t) })
	}
}

// A new or deleted account causes an evaluation of the targets that name it, in any namespace. The initial list of accounts does not,
// because the targets themselves are in an initial list.
func TestChangedAccountsAreEvaluated(t *testing.T) {
	reader := fake.NewClientBuilder().WithScheme(builtin(t)).WithObjects(target(rule("TCPRoute", "ports"))).Build()
	handler := enqueueConflicting(reader, kinds.TrafficTarget, namingAccount)
	for name, test := range map[string]struct {
		account *corev1.ServiceAccount
		want    int
	}{
		"destination":       {account("shop", "web"), 1},
		"source":            {account("shop", "client"), 1},
		"another":           {account("shop", "other"), 0},
		"another namespace": {account("other", "web"), 0},
	} {
		queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
		handler.Create(t.Context(), event.CreateEvent{Object: test.account}, queue)
		if queue.Len() != test.want {
			t.Errorf("%s: %d objects are enqueued, want %d", name, queue.Len(), test.want)
		}
		queue.ShutDown()
	}
	if accountExistenceChanged().Create(event.CreateEvent{Object: account("shop", "web"), IsInInitialList: true}) {
		t.Error("the initial list causes evaluations")
	}
	if !accountExistenceChanged().Create(event.CreateEvent{Object: account("shop", "web")}) || !accountExistenceChanged().Delete(event.DeleteEvent{Object: account("shop", "web")}) {
		t.Error("a new or a deleted account causes no evaluation")
	}
	if accountExistenceChanged().Update(event.UpdateEvent{ObjectOld: account("shop", "web"), ObjectNew: account("shop", "web")}) {
		t.Error("a changed account causes an evaluation")
	}
}
