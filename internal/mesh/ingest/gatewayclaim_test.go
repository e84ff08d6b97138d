package ingest_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// TestClaimOfListener checks that the status of a listener says since when it has its host, unless the listener has changed.
func TestClaimOfListener(t *testing.T) {
	const (
		since    = "2026-01-02T03:04:05Z"
		claim    = `{type: openservicemesh.io/HostClaimed, status: "True", reason: Claimed, message: HTTPS on port 443 for a.example, lastTransitionTime: "2026-01-02T03:04:05Z"}`
		accepted = `{type: Accepted, status: "True", reason: Accepted, message: "", observedGeneration: 3, lastTransitionTime: "2026-01-02T03:04:05Z"}`
	)
	for name, test := range map[string]struct {
		hostname, conditions, want string
	}{
		"a claim":                        {"a.example", claim, since},
		"a claim of another host":        {"b.example", claim, ""},
		"a claim that is lost":           {"a.example", strings.Replace(claim, "True", "False", 1), ""},
		"no status":                      {"a.example", "", ""},
		"accepted by an earlier version": {"a.example", accepted, since},
		"edited since it was accepted":   {"a.example", strings.Replace(accepted, "Generation: 3", "Generation: 2", 1), ""},
		"not accepted":                   {"a.example", strings.Replace(accepted, "True", "False", 1), ""},
		"accepted, with another claim":   {"b.example", claim + ", " + accepted, ""},
	} {
		text := `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: shop, generation: 3}
spec:
  gatewayClassName: osm
  listeners: [{name: other, port: 80, protocol: HTTP}, {name: a, port: 443, protocol: HTTPS, hostname: ` + test.hostname + `}]
status:
  listeners: [{name: c, attachedRoutes: 0, supportedKinds: [], conditions: []}, {name: a, attachedRoutes: 0, supportedKinds: [], conditions: [` + test.conditions + `]}]
`
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), object); err != nil {
			t.Fatal(err)
		}
		entry, problems := ingest.Gateway(object)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		got := ""
		if at := entry.Listeners[1].Claimed; !at.IsZero() {
			got = at.Format("2006-01-02T15:04:05Z07:00")
		}
		if got != test.want || !entry.Listeners[0].Claimed.IsZero() {
			t.Errorf("%s: claimed since %q, want %q", name, got, test.want)
		}
	}
}
