package scope

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// serversMesh has a log collector, an authorization server for the mesh and one for the namespace shop, and a tracing server.
func serversMesh(more ...catalog.Entry) *catalog.View {
	return meshtest.Apply(append([]catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", Egress: true, Tracing: &catalog.Tracing{Address: "jaeger"}, ExternalAuthorization: &catalog.ExternalAuthorization{Address: "opa"}},
		&catalog.Namespace{Name: "shop", Monitored: true},
		&catalog.ExtensionService{Name: meshtest.Name("shop", "collector"), Address: "otel"},
		&catalog.ExtensionService{Name: meshtest.Name("shop", "own"), Address: "own"},
		&telemetry.Policy{Name: meshtest.Name("shop", "logs"), Text: "x", Filter: "true", Export: meshtest.Name("shop", "collector"), Attributes: map[string]string{"a": "b"}},
		&telemetry.Policy{Name: meshtest.Name("shop", "plain"), Fields: map[string]string{"a": "b"}},
		&telemetry.Policy{Name: meshtest.Name("shop", "lost"), Export: meshtest.Name("shop", "none")},
		&extauthz.Policy{Name: meshtest.Name("shop", "auth"), Service: meshtest.Name("shop", "own")},
		&extauthz.Policy{Name: meshtest.Name("osm-system", "auth"), Service: meshtest.Name("osm-system", "none")},
	}, more...)...).View()
}

func TestAccessLogOf(t *testing.T) {
	for name, want := range map[string]*telemetry.AccessLog{
		"":     nil,
		"gone": nil,
		"logs": {
			Policy: meshtest.Name("shop", "logs"), Text: "x", Filter: "true",
			Export: &telemetry.Export{Service: catalog.ExtensionService{Name: meshtest.Name("shop", "collector"), Address: "otel"}, Attributes: map[string]string{"a": "b"}},
		},
		"plain": {Policy: meshtest.Name("shop", "plain"), Fields: map[string]string{"a": "b"}},
		"lost":  {Policy: meshtest.Name("shop", "lost")},
	} {
		key := Key{}
		if name != "" {
			key.Telemetry = meshtest.Name("shop", name)
		}
		if diff := cmp.Diff(want, telemetry.AccessLogOf(serversMesh(), key.Telemetry)); diff != "" {
			t.Errorf("access log by the Telemetry %q (-want +got):\n%s", name, diff)
		}
	}
}

// TestServersOfScopes checks which servers sidecars and gateways use.
func TestServersOfScopes(t *testing.T) {
	own, mesh := meshtest.Name("shop", "auth"), meshtest.Name("osm-system", "auth")
	ingress := identity.ServiceAccount{Namespace: "osm-system", Name: names.IngressGateway}
	for name, test := range map[string]struct {
		key            Key
		authorizations []string
		external       bool
	}{
		"a sidecar without policies": {Key{Identity: meshtest.SA("shop", "web")}, nil, true},
		"a sidecar with its own":     {Key{Identity: meshtest.SA("shop", "web"), Authorization: own}, []string{"shop/auth own"}, true},
		"a sidecar with both":        {Key{Identity: meshtest.SA("shop", "web"), Authorization: own, MeshAuthorization: mesh}, []string{"osm-system/auth mesh-wide", "shop/auth own"}, true},
		"a policy that is gone":      {Key{Identity: meshtest.SA("shop", "web"), Authorization: meshtest.Name("shop", "gone")}, nil, true},
		"the ingress gateway":        {Key{Identity: ingress, Proxy: ProxyIngressGateway, MeshAuthorization: mesh}, nil, false},
		"the egress gateway":         {Key{Identity: ingress, Proxy: ProxyEgressGateway, MeshAuthorization: mesh}, nil, false},
	} {
		s := Build(serversMesh(), "cluster.local", test.key)
		var got []string
		for _, a := range s.Authorizations {
			line := a.Policy.Name.String()
			if a.MeshWide {
				line += " mesh-wide"
			}
			if a.Service != nil {
				line += " " + a.Service.Address
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(test.authorizations, got); diff != "" {
			t.Errorf("%s: authorization servers (-want +got):\n%s", name, diff)
		}
		if (s.ExternalAuthorization != nil) != test.external || s.Egress != test.external || s.Tracing == nil || s.TrustDomain != "cluster.local" {
			t.Errorf("%s: external authorization %+v, egress %t, tracing %+v, trust domain %q; want %t, %t, one and cluster.local",
				name, s.ExternalAuthorization, s.Egress, s.Tracing, s.TrustDomain, test.external, test.external)
		}
	}
}

// TestPassthroughStripsGateways checks that teardown leaves a gateway with its routes only.
func TestPassthroughStripsGateways(t *testing.T) {
	v := serversMesh(&catalog.Settings{Namespace: "osm-system", Teardown: catalog.TeardownPassthrough})
	for proxy, want := range map[Proxy]bool{ProxySidecar: true, ProxyIngressGateway: false, ProxyEgressGateway: false} {
		s := Build(v, "cluster.local", Key{Identity: meshtest.SA("osm-system", names.IngressGateway), Proxy: proxy})
		if s.Passthrough != want || s.Egress != want {
			t.Errorf("%s: passthrough %t, egress %t, want both %t", proxy, s.Passthrough, s.Egress, want)
		}
	}
}

// TestRetries checks the Retry policies of a client.
func TestRetries(t *testing.T) {
	client := meshtest.SA("shop", "client")
	retry := &retry.Policy{Name: meshtest.Name("shop", "r"), Source: client, Destinations: []entity.Name{meshtest.Name("shop", "web")}, Settings: retry.Settings{Count: 3}}
	v := serversMesh(retry)
	if got := retries(v, client, false); got != nil {
		t.Errorf("disabled, the client retries %+v", got)
	}
	s := &Scope{Sidecar: Sidecar{ClientPolicies: ClientPolicies{Retries: retries(v, client, true)}}}
	if got := s.RetryOf(meshtest.Name("shop", "web")); got == nil || got.Count != 3 {
		t.Errorf("the policy for shop/web is %+v, want 3 retries", got)
	}
	if got := s.RetryOf(meshtest.Name("shop", "other")); got != nil {
		t.Errorf("the policy for shop/other is %+v, want none", got)
	}
}
