package meshtest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// drawTelemetry selects pods by the label that Services select them by. It may refer to an ExtensionService of any namespace.
func drawTelemetry(t *rapid.T) *catalog.Telemetry {
	policy := &catalog.Telemetry{Name: drawName(t), Created: created.Draw(t, "created")}
	if rapid.Bool().Draw(t, "selective") {
		policy.Selector = map[string]string{"app": rapid.SampledFrom(words).Draw(t, "app")}
	}
	if rapid.Bool().Draw(t, "text") {
		policy.Text = rapid.SampledFrom([]string{"%RESPONSE_CODE%", "%REQ(:PATH)% %PROTOCOL%"}).Draw(t, "format")
	} else {
		policy.Fields = map[string]string{"code": "%RESPONSE_CODE%"}
	}
	policy.Filter = rapid.SampledFrom([]string{"", "response.code >= 400"}).Draw(t, "filter")
	if rapid.Bool().Draw(t, "exported") {
		policy.Export, policy.Attributes = drawName(t), map[string]string{"mesh": "test"}
	}
	return policy
}

func drawExtension(t *rapid.T) *catalog.ExtensionService {
	return &catalog.ExtensionService{
		Name: drawName(t), Address: rapid.SampledFrom([]string{"192.0.2.7", "otel.example.com"}).Draw(t, "server"), Port: 4317,
		HTTP1: rapid.IntRange(0, 3).Draw(t, "protocol") == 0,
	}
}

// drawAuthorization selects pods as drawTelemetry does.
func drawAuthorization(t *rapid.T) *catalog.ExternalAuthorizationPolicy {
	policy := &catalog.ExternalAuthorizationPolicy{
		Name: drawName(t), Created: created.Draw(t, "created"), Service: drawName(t), Timeout: time.Second, FailureModeAllow: rapid.Bool().Draw(t, "failures allow"),
	}
	if rapid.Bool().Draw(t, "selective") {
		policy.Selector = map[string]string{"app": rapid.SampledFrom(words).Draw(t, "app")}
	}
	return policy
}
