package envoy_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
)

// TestGoldenLogOperators checks that both supported versions of Envoy accept every command operator that a Telemetry may have.
func TestGoldenLogOperators(t *testing.T) {
	text := ""
	for _, operator := range telemetry.Operators() {
		text += operator + " "
	}
	s := &scope.Scope{
		Common: scope.Common{
			TrustDomain: "cluster.local",
			AccessLog: &telemetry.AccessLog{Text: text, Export: &telemetry.Export{
				Service: catalog.ExtensionService{Name: entity.Name{Namespace: "shop", Name: "otel"}, Address: "192.0.2.1", Port: 4317},
			}},
		},
		Sidecar: scope.Sidecar{Egress: true},
	}
	envoytest.Validate(t, map[string][]envoy.Resource{"every operator": envoy.Build(s)})
}
