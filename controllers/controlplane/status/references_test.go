package status

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// TestMissingReferencesAreWarnings checks that the author of a policy learns at once what does not exist. The author can still create it.
func TestMissingReferencesAreWarnings(t *testing.T) {
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	web := &corev1.Service{ObjectMeta: meta("web"), Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	config := object(kinds.MeshConfigs, "osm-mesh-config", 1, map[string]any{"featureFlags": map[string]any{"enableRetryPolicy": true, "enableEgressPolicy": true, "enableIngressBackendPolicy": true}})
	config.SetNamespace("osm-system")
	mesh := meshOf(t, web, config)
	for name, test := range map[string]struct {
		object   *unstructured.Unstructured
		messages []string
	}{
		"target": {target(rule("TCPRoute", "none")), []string{
			"of spec.destination does not exist yet, so the policy grants nothing", "of spec.sources does not exist yet", "TCPRoute shop/none does not exist yet",
		}},
		"split":                 {split("s", 1), []string{"does not exist yet, so it gets no requests"}},
		"retry":                 {retry("shop", "r", 1, "web", "api"), []string{"Service shop/api of spec.destinations does not exist yet"}},
		"setting":               {setting("u", 1, "api.shop.svc.cluster.local"), []string{"Service shop/api does not exist yet, so nothing is limited"}},
		"setting that is right": {setting("u", 1, "web.shop.svc.cluster.local"), nil},
		"egress": {object(kinds.Egress, "e", 1, map[string]any{
			"sources": []any{map[string]any{"kind": "ServiceAccount", "name": "none", "namespace": "shop"}},
			"hosts":   []any{"api.example.com"}, "ports": []any{map[string]any{"number": int64(443), "protocol": "https"}},
		}), []string{"ServiceAccount shop/none of spec.sources does not exist yet"}},
		"ingress": {object(kinds.IngressBackend, "i", 1, map[string]any{
			"backends": []any{map[string]any{"name": "web", "port": map[string]any{"number": int64(8080), "protocol": "http"}}},
			"sources":  []any{map[string]any{"kind": "IPRange", "name": "10.0.0.0/8"}},
		}), []string{"Service shop/web has no targetPort 8080"}},
		"authorization": {object(kinds.ExternalAuthorization, "a", 1, map[string]any{"extensionService": map[string]any{"name": "none"}}), []string{
			"ExtensionService shop/none does not exist yet, so requests get status 503",
		}},
		"telemetry": {object(kinds.Telemetry, "t", 1, map[string]any{"accessLog": map[string]any{"openTelemetry": map[string]any{"extensionService": map[string]any{"name": "none"}}}}), []string{
			"ExtensionService shop/none does not exist yet, so logs are not exported",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			problems := CheckRelated(mesh, meshNamespace)(t.Context(), test.object)
			var messages []string
			for _, problem := range problems {
				messages = append(messages, problem.Message)
			}
			for _, want := range test.messages {
				if !slices.ContainsFunc(messages, func(m string) bool { return strings.Contains(m, want) }) {
					t.Errorf("no warning has %q: %q", want, messages)
				}
			}
			if len(test.messages) == 0 && len(messages) > 0 {
				t.Errorf("the warnings are %q, want none", messages)
			}
		})
	}
}
