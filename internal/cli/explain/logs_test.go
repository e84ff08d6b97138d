package explain_test

import (
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// The answer names the Telemetry of the destination's sidecars.
func TestAskAboutLogs(t *testing.T) {
	log := &telemetry.Policy{Name: Name("shop", "log"), Filter: "response.code >= 400", Export: Name("shop", "otel")}
	entries := append(shop(&catalog.Settings{Permissive: true, Namespace: "osm-system"}), log)
	var text strings.Builder
	if err := evaluate(t, "front/sa/till to shop/web GET /a", entries...).Print(&text); err != nil {
		t.Fatal(err)
	}
	want := "    log: by Telemetry shop/log, if response.code >= 400, exported to ExtensionService shop/otel, which cannot be used\n"
	if !strings.Contains(text.String(), want) {
		t.Errorf("want %q in:\n%s", want, text.String())
	}
}
