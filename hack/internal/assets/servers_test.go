package assets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tests run the versions whose images are the defaults of a Mesh. Prometheus 3.15 is the module version v0.315, and Jaeger 2.13 is v1.76.
func TestServersAreTheDefaultVersions(t *testing.T) {
	hack, err := FindHack()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ module, version, image string }{
		"prometheus": {"github.com/prometheus/prometheus", "v0.315.0", "quay.io/prometheus/prometheus:v3.15.0"},
		"jaeger":     {"github.com/jaegertracing/jaeger", "v1.76.0", "quay.io/jaegertracing/jaeger:2.13.0"},
	} {
		version, err := requiredVersion(filepath.Join(hack, "servers", name, "go.mod"), c.module)
		if err != nil || version != c.version {
			t.Errorf("the tests run %s %s (%v), want %s: change its image, too", c.module, version, err, c.version)
		}
		settings, err := os.ReadFile(filepath.Join(hack, "..", "internal", "operator", "component", name, "managed.go"))
		if err != nil || !strings.Contains(string(settings), `"`+c.image+`"`) {
			t.Errorf("the default image of %s is not %s, which the tests run (%v)", name, c.image, err)
		}
	}
}

func TestUnknownServer(t *testing.T) {
	_, err := Builder{}.Server(t.Context(), "grafana")
	if err == nil || !strings.Contains(err.Error(), "the servers are approver-policy, argo-rollouts, flux, jaeger, kruise, metrics-server, olm, prometheus, prometheus-operator") {
		t.Errorf("error %v, want one that lists the servers", err)
	}
}
