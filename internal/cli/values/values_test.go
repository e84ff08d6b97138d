package values_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/cli/values"
)

func TestTranslate(t *testing.T) {
	tests := map[string]struct {
		sets         []string
		mesh, config string
	}{
		"OSM's presets, written down": {nil, "namespace: osm-system\ntraffic: {permissive: true, egress: true}", ""},
		"several in one": {
			[]string{"osm.enablePermissiveTrafficPolicy=false,osm.enableEgress=false", "osm.osmController.replicaCount=3,osm.injector.replicaCount=2"},
			"namespace: osm-system\ntraffic: {permissive: false, egress: false}\ncontrolPlane: {controller: {replicas: 3}, injector: {replicas: 2}}", "",
		},
		"images, levels, certificates": {
			[]string{"osm.sidecarImage=envoy:1,osm.envoyLogLevel=debug,osm.controllerLogLevel=trace,osm.trustDomain=a.b,osm.certificateProvider.serviceCertValidityDuration=12h,osm.certificateProvider.certKeyBitSize=4096"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}\nsidecar: {image: 'envoy:1', logLevel: debug}\ncontrolPlane: {logLevel: trace}\n" +
				"certificates: {trustDomain: a.b, serviceCertificateDuration: 12h, key: {algorithm: RSA, size: 4096}}", "",
		},
		"cert-manager with OSM's issuer": {
			[]string{"osm.certificateProvider.kind=cert-manager"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}\n" +
				"certificates: {provider: CertManager, issuerRef: {name: osm-ca, kind: Issuer, group: cert-manager.io}}", "",
		},
		"cert-manager with another issuer": {
			[]string{"osm.certmanager.issuerName=corp,osm.certmanager.issuerKind=ClusterIssuer", "osm.certificateProvider.kind=cert-manager,osm.certmanager.issuerGroup=a.b"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}\n" +
				"certificates: {provider: CertManager, issuerRef: {name: corp, kind: ClusterIssuer, group: a.b}}", "",
		},
		"a Vault": {
			[]string{"osm.certificateProvider.kind=vault,osm.vault.host=vault.corp,osm.vault.protocol=https", "osm.vault.role=osm,osm.vault.secret.name=a,osm.vault.secret.key=b"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}\n" +
				"certificates: {provider: Vault, vault: {address: 'https://vault.corp:8200', tokenSecretRef: {name: a, key: b}}}", "",
		},
		"what only a MeshConfig has": {
			[]string{"osm.outboundPortExclusionList={6379,7070},osm.enableDebugServer=true", "osm.outboundIPRangeExclusionList=10.0.0.0/8", "osm.tracing.port=9411"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}",
			"traffic: {outboundPortExclusionList: [6379, 7070], outboundIPRangeExclusionList: [10.0.0.0/8]}\nobservability: {enableDebugServer: true, tracing: {port: 9411}}",
		},
		"Prometheus and Grafana": {
			[]string{"osm.deployPrometheus=true,osm.deployGrafana=true,osm.prometheus.retention.time=15d", "osm.prometheus.port=7070,osm.prometheus.image=a/b:1"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}\n" +
				"observability: {prometheus: {mode: Managed, managed: {retention: 360h, image: 'a/b:1'}}, grafana: {mode: Managed}}", "",
		},
		"neither of them": {
			[]string{"osm.deployPrometheus=false"}, "namespace: osm-system\ntraffic: {permissive: true, egress: true}\nobservability: {prometheus: {mode: Disabled}}", "",
		},
		"what is so anyway": {[]string{"osm.certificateProvider.kind=tresor,contour.enabled=false"}, "namespace: osm-system\ntraffic: {permissive: true, egress: true}", ""},
		"Prometheus and Jaeger": {
			[]string{"osm.deployPrometheus=true,osm.deployJaeger=true,osm.tracing.enable=true,osm.tracing.image=jaeger:2"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}\n" +
				"observability: {prometheus: {mode: Managed}, jaeger: {mode: Managed, managed: {image: 'jaeger:2'}}}",
			"observability: {tracing: {enable: true}}",
		},
		"neither Prometheus nor Jaeger": {
			[]string{"osm.deployPrometheus=false,osm.deployJaeger=false"},
			"namespace: osm-system\ntraffic: {permissive: true, egress: true}\nobservability: {prometheus: {mode: Disabled}, jaeger: {mode: Disabled}}", "",
		},
		"another place": {[]string{"osm.osmNamespace=arch", "osm.osmController.resource.limits.memory=1Gi,osm.injector.resource.requests.cpu=50m"}, "namespace: arch\ntraffic: {permissive: true, egress: true}\ncontrolPlane: {controller: {resources: {limits: {memory: 1Gi}}}, injector: {resources: {requests: {cpu: 50m}}}}", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := values.Translate("osm", "osm-system", test.sets)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(normal(t, test.mesh), normal(t, marshal(t, got.Mesh.Spec))); diff != "" {
				t.Errorf("spec of the Mesh (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(normal(t, test.config), normal(t, marshal(t, got.MeshConfig))); diff != "" {
				t.Errorf("spec of the MeshConfig (-want +got):\n%s", diff)
			}
		})
	}
}

// An upgrade changes what is named, and nothing that is not.
func TestChanges(t *testing.T) {
	got, err := values.Changes("osm", []string{"osm.enableEgress=false,osm.osmController.replicaCount=3,osm.enableDebugServer=true"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(normal(t, "traffic: {egress: false}\ncontrolPlane: {controller: {replicas: 3}}"), normal(t, marshal(t, got.Mesh.Spec))); diff != "" {
		t.Errorf("spec of the Mesh (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(normal(t, "observability: {enableDebugServer: true}"), normal(t, marshal(t, got.MeshConfig))); diff != "" {
		t.Errorf("spec of the MeshConfig (-want +got):\n%s", diff)
	}
	if _, err := values.Changes("osm", []string{"osm.osmNamespace=other"}); err == nil || !strings.Contains(err.Error(), "are immutable") {
		t.Errorf("error %v: another namespace should be rejected", err)
	}
}

func marshal(t *testing.T, value any) string {
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func normal(t *testing.T, text string) map[string]any {
	content := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &content); err != nil {
		t.Fatal(err)
	}
	return content
}

func TestReject(t *testing.T) {
	tests := []struct{ set, want string }{
		{"osm.enableEgress", "must be name=value"},
		{"osm.enableEgress=maybe", "must be true or false"},
		{"osm.prometheus.port=9090", "always 7070"},
		{"osm.prometheus.retention.time=a year", "such as 15d"},
		{"osm.deployPrometheus=maybe", "must be true or false"},
		{"osm.image.registry=x", "RELATED_IMAGE"},
		{"osm.certificateProvider.kind=step", "the certificate providers are tresor, cert-manager and vault"},
		{"osm.certificateProvider.kind=vault", "needs osm.vault.host, osm.vault.secret.name and osm.vault.secret.key"},
		{"osm.vault.host=a", "add --set osm.certificateProvider.kind=vault"},
		{"osm.vault.token=a", "a token is read from a Secret only"},
		{"osm.certmanager.issuerName=a", "add --set osm.certificateProvider.kind=cert-manager"},
		{"osm.osmController.podLabels.a=b", "spec.controlPlane.controller.labels"},
		{"osm.injector.tolerations=a", "spec.controlPlane.tolerations"},
		{"osm.controlPlaneTolerations=a", "spec.controlPlane.tolerations"},
		{"osm.imagePullSecrets=a", "spec.controlPlane.imagePullSecrets"},
		{"osm.injector.webhookTimeoutSeconds=10", "always 20 seconds"},
		{"osm.osmController.enablePodDisruptionBudget=false", "always have a PodDisruptionBudget"},
		{"osm.featureFlags.enableMeshRootCertificate=false", "always have an effect"},
		{"osm.nonsense=1", "kubectl explain mesh.spec"},
		{"osm.outboundPortExclusionList={a}", "must be a list of numbers"},
	}
	for _, test := range tests {
		t.Run(test.set, func(t *testing.T) {
			_, err := values.Translate("osm", "osm-system", []string{test.set})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v: it should say %q", err, test.want)
			}
		})
	}
}
