package traffic

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// mapper is a discovery with a fixed answer.
type mapper struct {
	meta.RESTMapper
	err error
}

func (m mapper) RESTMapping(schema.GroupKind, ...string) (*meta.RESTMapping, error) {
	return &meta.RESTMapping{}, m.err
}

func definition(t *testing.T, established, version string, served string) client.Object {
	t.Helper()
	u := &unstructured.Unstructured{}
	text := `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: traffictargets.access.smi-spec.io},
spec: {versions: [{name: v1alpha1, served: true}, {name: ` + version + `, served: ` + served + `}]}, status: {conditions: [{type: Established, status: "` + established + `"}]}}`
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestIncompleteDiscovery checks that a kind counts as not defined only when that is certain.
func TestIncompleteDiscovery(t *testing.T) {
	absent := &meta.NoKindMatchError{GroupKind: kinds.TrafficTarget.GroupKind()}
	for name, test := range map[string]struct {
		discovery error
		stored    []client.Object
		want      bool
		unknown   bool
	}{
		"defined":                                  {nil, nil, true, false},
		"not defined":                              {absent, nil, false, false},
		"the API server is unavailable":            {apierrors.NewServiceUnavailable("x"), nil, false, true},
		"a part of the discovery fails":            {errors.New("unable to retrieve the complete list of server APIs"), nil, false, true},
		"defined, but the discovery lacks it":      {absent, []client.Object{definition(t, "True", "v1alpha3", "true")}, false, true},
		"defined in another version":               {absent, []client.Object{definition(t, "True", "v1alpha2", "true")}, false, false},
		"defined, but the version is not served":   {absent, []client.Object{definition(t, "True", "v1alpha3", "false")}, false, false},
		"a definition that is not established yet": {absent, []client.Object{definition(t, "False", "v1alpha3", "true")}, false, false},
	} {
		reader := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(test.stored...).Build()
		got, err := NewDefinitions(mapper{err: test.discovery}, reader).Has(t.Context(), kinds.TrafficTarget)
		if got != test.want || (err != nil) != test.unknown {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
}

// TestDefinitionNames compares the names of definitions with those in config/crd and of the Gateway API.
func TestDefinitionNames(t *testing.T) {
	for kind, want := range map[schema.GroupVersionKind]string{
		kinds.TrafficTarget: "traffictargets.access.smi-spec.io", kinds.HTTPRouteGroup: "httproutegroups.specs.smi-spec.io", kinds.TCPRoute: "tcproutes.specs.smi-spec.io",
		kinds.UDPRoute: "udproutes.specs.smi-spec.io", kinds.TrafficSplit: "trafficsplits.split.smi-spec.io",
		kinds.Retry: "retries.policy.openservicemesh.io", kinds.UpstreamTrafficSetting: "upstreamtrafficsettings.policy.openservicemesh.io",
		kinds.Backpressure: "backpressures.policy.openservicemesh.io", kinds.Egress: "egresses.policy.openservicemesh.io", kinds.Telemetry: "telemetries.policy.openservicemesh.io",
		kinds.IngressBackend: "ingressbackends.policy.openservicemesh.io", kinds.ExternalAuthorization: "externalauthorizations.policy.openservicemesh.io",
		kinds.ExtensionService: "extensionservices.config.openservicemesh.io", kinds.MultiClusterService: "multiclusterservices.config.openservicemesh.io",
		kinds.BackendTLSPolicy: "backendtlspolicies.gateway.networking.k8s.io", kinds.ReferenceGrant: "referencegrants.gateway.networking.k8s.io",
		kinds.Gateway: "gateways.gateway.networking.k8s.io", kinds.GatewayClass: "gatewayclasses.gateway.networking.k8s.io", kinds.HTTPRoute: "httproutes.gateway.networking.k8s.io",
		kinds.GRPCRoute: "grpcroutes.gateway.networking.k8s.io", kinds.TLSRoute: "tlsroutes.gateway.networking.k8s.io", kinds.GatewayTCPRoute: "tcproutes.gateway.networking.k8s.io",
	} {
		if got := definitionName(kind); got != want {
			t.Errorf("the definition of %s is %s, want %s", kind.Kind, got, want)
		}
	}
}
