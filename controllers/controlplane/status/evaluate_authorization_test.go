package status

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
)

func authorization(name string, created int64, namespace, service string, more map[string]any) *unstructured.Unstructured {
	spec := map[string]any{"extensionService": map[string]any{"namespace": namespace, "name": service}}
	for key, value := range more {
		spec[key] = value
	}
	return object(traffic.ExternalAuthorization, name, created, spec)
}

func TestEvaluateAuthorization(t *testing.T) {
	evaluate := EvaluateAuthorization("osm-system")
	both := map[string]string{Accepted: inForce, ResolvedRefs: resolved}
	missing := map[string]string{Accepted: inForce, ResolvedRefs: "False RefNotFound"}
	server := extension("shop", "opa", "opa.example.com", "h2c")
	for _, test := range []evaluateCase{
		{"a server", evaluate, authorization("a", 1, "", "opa", nil), []client.Object{server}, both, "in force"},
		{"no server", evaluate, authorization("a", 1, "", "opa", nil), nil, missing, "requests get status 503"},
		{"no server, and failures allow", evaluate, authorization("a", 1, "", "opa", map[string]any{"failureModeAllow": true}), nil, missing, "all are allowed"},
		{"a server of others", evaluate, authorization("a", 1, "other", "opa", nil), nil, map[string]string{Accepted: inForce, ResolvedRefs: "False ForeignNamespace"}, "is in another namespace"},
		{"an invalid timeout", evaluate, authorization("a", 1, "", "opa", map[string]any{"timeout": "soon"}), []client.Object{server}, map[string]string{Accepted: "False InvalidDuration", ResolvedRefs: resolved}, "The timeout is 1s"},
		{"an older one", evaluate, authorization("b", 2, "", "opa", nil), []client.Object{server, authorization("a", 1, "", "opa", nil)}, map[string]string{Accepted: "False Conflicted", ResolvedRefs: resolved}, "shop/a is older"},
		{"an older one for other pods", evaluate, authorization("b", 2, "", "opa", map[string]any{"selector": map[string]any{"app": "web"}}), []client.Object{server, authorization("a", 1, "", "opa", nil)}, both, "in force"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}
