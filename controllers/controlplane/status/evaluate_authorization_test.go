package status

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

func authorization(name string, created int64, namespace, service string, more map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"extensionService": map[string]any{"namespace": namespace, "name": service}}
	for key, value := range more {
		spec[key] = value
	}
	return object(kinds.ExternalAuthorization, name, created, spec)
}

func TestEvaluateAuthorization(t *testing.T) {
	both := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}
	missing := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}
	server := extension("shop", "opa", "opa.example.com", "h2c")
	for _, test := range []evaluateCase{
		{"a server", authorization("a", 1, "", "opa", nil), []client.Object{server}, both, "in force"},
		{"no server", authorization("a", 1, "", "opa", nil), nil, missing, "requests get status 503"},
		{"no server, and failures allow", authorization("a", 1, "", "opa", map[string]any{"failureModeAllow": true}), nil, missing, "all are allowed"},
		{"a server of others", authorization("a", 1, "other", "opa", nil), nil, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False ForeignNamespace"}, "is in another namespace"},
		{"an invalid timeout", authorization("a", 1, "", "opa", map[string]any{"timeout": "soon"}), []client.Object{server}, map[string]string{kinds.ConditionAccepted: "False InvalidDuration", kinds.ConditionResolvedRefs: resolved}, "The timeout is 1s"},
		{"an older one", authorization("b", 2, "", "opa", nil), []client.Object{server, authorization("a", 1, "", "opa", nil)}, map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved}, "shop/a is older"},
		{"an older one for other pods", authorization("b", 2, "", "opa", map[string]any{"selector": map[string]any{"app": "web"}}), []client.Object{server, authorization("a", 1, "", "opa", nil)}, both, "in force"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}
