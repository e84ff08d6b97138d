package status

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
		{"both exist", grant, []client.Object{route, account("shop", "web"), account("shop", "client")}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}, "in force"},
		{
			"no destination", grant,
			[]client.Object{route, account("shop", "client"), account("other", "web")},
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"ServiceAccount shop/web of spec.destination does not exist, so the policy grants nothing: create it, or correct the name.",
		},
		{
			"no source", grant,
			[]client.Object{route, account("shop", "web")},
			map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"},
			"ServiceAccount shop/client of spec.sources does not exist, so nothing is granted to it: create it, or correct the name.",
		},
	} {
		t.Run(test.name, func(t *testing.T) { test.checkAlone(t) })
	}
}
