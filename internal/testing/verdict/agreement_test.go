package verdict

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// TestEngineAgreesWithReference compares the policy engine, on objects that the control plane has read, with the texts of SMI and OSM.
func TestEngineAgreesWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := AnyState().Draw(t, "mesh")
		o := newOracle(state)
		addresses := o.serviceAddresses()
		for range 40 {
			for _, request := range []Request{drawRequest(t, addresses), drawEgressRequest(t), drawIngressRequest(t)} {
				if problem := o.expect(request).disagreement; problem != "" {
					t.Fatalf("%+v: %s\n%s", request, problem, state)
				}
			}
		}
	})
}

// TestObjectsKeepSettings sets every field of the settings, so that a new field fails the test until the objects have it.
func TestObjectsKeepSettings(t *testing.T) {
	settings := &catalog.Settings{
		Namespace: "osm-system", Permissive: true, Egress: true, RetryPolicies: true, IngressBackends: true, EgressPolicies: true, ActiveHealthChecks: true, EmptyRulesSelectNothing: true,
		TLS: catalog.TLS{
			MinVersion: "TLSv1_2", MaxVersion: "TLSv1_3", CipherSuites: []string{"ECDHE-ECDSA-AES256-GCM-SHA384"}, ECDHCurves: []string{"P-256"},
		},
		ExternalAuthorization: &catalog.ExternalAuthorization{Address: "opa.opa", Port: 9191, StatPrefix: "auth", Timeout: time.Minute, FailureModeAllow: true},
		Tracing:               &catalog.Tracing{Address: "zipkin.tracing", Port: 80, Path: "/spans", Sampling: 12.5},
		Teardown:              catalog.TeardownOpen, UnloggedRequests: 900_000,
	}
	fields := reflect.ValueOf(*settings)
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			t.Errorf("%s is not set", fields.Type().Field(i).Name)
		}
	}
	got := read(State{settings.Ref(): settings}.objects())[settings.Ref()]
	if diff := cmp.Diff(settings, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
