package status

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

func telemetry(name string, created int64, log map[string]any) *unstructured.Unstructured {
	return object(kinds.Telemetry, name, created, map[string]any{"accessLog": log})
}

func extension(namespace, name, host, protocol string) *unstructured.Unstructured {
	u := object(kinds.ExtensionService, name, 1, map[string]any{"host": host, "port": int64(4317), "protocol": protocol})
	u.SetNamespace(namespace)
	return u
}

func exportTo(namespace, name string) map[string]any {
	return map[string]any{"openTelemetry": map[string]any{"extensionService": map[string]any{"namespace": namespace, "name": name}}}
}

func TestEvaluateTelemetry(t *testing.T) {
	both := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: resolved}
	missing := map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False RefNotFound"}
	format := map[string]any{"format": "%RESPONSE_CODE%"}
	for _, test := range []evaluateCase{
		{"a format", telemetry("log", 1, format), nil, both, "in force"},
		{"nothing", telemetry("log", 1, nil), nil, map[string]string{kinds.ConditionAccepted: "False GrantsNothing"}, "changes nothing"},
		{"an unknown operator", telemetry("log", 1, map[string]any{"format": "%FILE_CONTENT(/x)%"}), nil, map[string]string{kinds.ConditionAccepted: "False InvalidFormat", kinds.ConditionResolvedRefs: resolved}, "default format"},
		{"an invalid filter", telemetry("log", 1, map[string]any{"filter": "response.code >"}), nil, map[string]string{kinds.ConditionAccepted: "False InvalidExpression", kinds.ConditionResolvedRefs: resolved}, "Everything is logged"},
		{"an older one", telemetry("b", 2, format), []client.Object{telemetry("a", 1, format)}, map[string]string{kinds.ConditionAccepted: "False Conflicted", kinds.ConditionResolvedRefs: resolved}, "Telemetry shop/a is older"},
		{"a collector of its namespace", telemetry("log", 1, exportTo("", "c")), []client.Object{extension("shop", "c", "otel.example.com", "h2c")}, both, "in force"},
		{"a collector of the mesh", telemetry("log", 1, exportTo("osm-system", "c")), []client.Object{meshConfigObject(), extension("osm-system", "c", "otel.example.com", "")}, both, "in force"},
		{"a collector of others", telemetry("log", 1, exportTo("other", "c")), []client.Object{extension("other", "c", "otel.example.com", "")}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False ForeignNamespace"}, "is in another namespace"},
		{"no collector", telemetry("log", 1, exportTo("shop", "c")), nil, missing, "ExtensionService shop/c does not exist"},
		{"a collector that cannot be used", telemetry("log", 1, exportTo("shop", "c")), []client.Object{extension("shop", "c", "localhost", "")}, missing, "is the pod of each sidecar"},
		{"a collector without gRPC", telemetry("log", 1, exportTo("shop", "c")), []client.Object{extension("shop", "c", "otel.example.com", "http")}, map[string]string{kinds.ConditionAccepted: inForce, kinds.ConditionResolvedRefs: "False UnknownProtocol"}, "over gRPC"},
	} {
		t.Run(test.name, func(t *testing.T) { test.check(t) })
	}
}
