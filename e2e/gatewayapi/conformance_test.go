package gatewayapi

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// profile has the numbers of tests that pass in a profile, and of the skipped ones.
type profile struct{ core, skipped, extended int }

var (
	meshProfiles = map[string]profile{"MESH-HTTP": {7, 0, 7}, "MESH-GRPC": {3, 0, 0}}
	// gatewayProfiles have 57 tests in their core, which take four minutes. Only `make test-full` runs them.
	gatewayProfiles = map[string]profile{"GATEWAY-HTTP": {40, 0, 35}, "GATEWAY-GRPC": {17, 0, 0}}
)

// meshFeatures are those of the core of the profiles of meshes.
var meshFeatures = []string{"Mesh", "ReferenceGrant", "HTTPRoute", "GRPCRoute"}

// otherFeatures are the other supported ones. Only `make test-full` tests them.
var otherFeatures = []string{
	"Gateway",
	"MeshClusterIPMatching", "MeshConsumerRoute", "MeshHTTPRouteRewritePath", "MeshHTTPRouteSchemeRedirect", "MeshHTTPRouteRedirectPort", "MeshHTTPRouteRedirectPath",
	"MeshHTTPRouteBackendRequestHeaderModification", "MeshHTTPRouteQueryParamMatching", "MeshHTTPRouteNamedRouteRule",
	"GatewayPort8080", "GatewayHTTPListenerIsolation", "GatewayHTTPSListenerDetectMisdirectedRequests",
	"GatewayFrontendClientCertificateValidation", "GatewayFrontendClientCertificateValidationInsecureFallback",
	"HTTPRouteMethodMatching", "HTTPRouteQueryParamMatching", "HTTPRouteDestinationPortMatching", "HTTPRouteParentRefPort", "HTTPRouteNamedRouteRule",
	"HTTPRouteResponseHeaderModification", "HTTPRouteBackendRequestHeaderModification", "HTTPRouteHostRewrite", "HTTPRoutePathRewrite",
	"HTTPRouteSchemeRedirect", "HTTPRoutePortRedirect", "HTTPRoutePathRedirect",
	"HTTPRoute303RedirectStatusCode", "HTTPRoute307RedirectStatusCode", "HTTPRoute308RedirectStatusCode",
	"HTTPRouteRequestMirror", "HTTPRouteRequestMultipleMirrors", "HTTPRouteRequestPercentageMirror",
	"HTTPRouteRequestTimeout", "HTTPRouteBackendTimeout", "HTTPRouteRetryCodes",
	"HTTPRouteBackendProtocolH2C", "HTTPRouteBackendProtocolWebSocket", "GRPCRouteNamedRouteRule", "GRPCRouteRequestHeaderModifier",
}

// skipped are the tests that do not pass. MeshFrontend calls the address of a pod, which the sidecars of a mesh close, as in Open Service Mesh.
const skipped = "MeshFrontend"

// conformanceReport is the part of the suite's report that the test reads.
type conformanceReport struct {
	Profiles []struct {
		Name           string
		Core, Extended struct {
			Statistics        struct{ Failed, Passed, Skipped int }
			SupportedFeatures []string
		}
	}
}

// TestConformance runs the suite with the core of the profiles of meshes. In `make test-full` it has the profiles of gateways too, and the tests of all supported
// features, whose report can be published as it is.
func TestConformance(t *testing.T) {
	profiles, features, file := meshProfiles, meshFeatures, filepath.Join(t.TempDir(), "report.yaml")
	if lab.IsFull() {
		profiles = maps.Clone(meshProfiles)
		maps.Copy(profiles, gatewayProfiles)
		features = slices.Concat(meshFeatures, otherFeatures)
		file = cluster.Repository.Path("bin", "conformance", "standard-"+cluster.Version+"-default-report.yaml")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	prepareMesh(t)
	t.Setenv("KUBECONFIG", cluster.Kubeconfig)
	err := cluster.Repository.Tool(t.Context(), os.Stderr, "./conformance", "run",
		"--conformance-profiles="+strings.Join(slices.Sorted(maps.Keys(profiles)), ","), "--gateway-class="+names.DefaultMesh, "--supported-features="+strings.Join(features, ","), "--skip-tests="+skipped,
		"--namespace-labels="+names.MonitoredByLabel+"="+names.DefaultMesh, "--namespace-annotations="+names.InjectionAnnotation+"=enabled",
		"--organization=openservicemesh", "--project=osm-operator", "--url=https://github.com/openservicemesh/osm-operator", "--version="+cluster.Version,
		"--contact=https://github.com/openservicemesh/osm-operator/issues", "--report-output="+file)
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, file, profiles)
}

// checkReport fails unless every counted test has passed.
func checkReport(t *testing.T, file string, profiles map[string]profile) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report conformanceReport
	if err := yaml.Unmarshal(content, &report); err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Profiles {
		core, extended, want := p.Core.Statistics, p.Extended.Statistics, profiles[p.Name]
		if !lab.IsFull() {
			want.extended = 0
		}
		if core.Passed != want.core || core.Failed > 0 || core.Skipped != want.skipped || extended.Passed != want.extended || extended.Failed+extended.Skipped > 0 {
			t.Errorf("profile %s: %+v, want %d of core and %d extended", p.Name, p, want.core, want.extended)
		}
	}
	if len(report.Profiles) != len(profiles) {
		t.Errorf("the report has %d profiles, want %d", len(report.Profiles), len(profiles))
	}
}
