package inject

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject/pinned"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// TestNewPodFields_MatchInjection sets fields of the MeshConfig one by one. ingest.NewPodFields must return exactly those
// that change the result of injection, by an injector that was started with the sidecar of its MeshRevision.
func TestNewPodFields_MatchInjection(t *testing.T) {
	inject := func(spec configv1alpha2.MeshConfigSpec) *corev1.Pod {
		config := testConfig()
		config.Settings = spec
		config.Sidecar = pinned.Sidecar{Image: config.EnvoyImage, InitImage: config.InitImage, Statistics: "Essential"}
		config.Reach = Reach{HasServiceRanges: true, PermissiveServices: AutoServices + 1}
		pod, err := Mutate(parsePod(t, `{metadata: {annotations: {openservicemesh.io/sidecar-class: small}}, spec: {containers: [{name: app}]}}`), testNamespace(), config, testUUID)
		if err != nil {
			t.Fatal(err)
		}
		return pod
	}
	untouched := inject(configv1alpha2.MeshConfigSpec{})
	// Resource quantities are shorter in Go than in YAML.
	limits := configv1alpha2.MeshConfigSpec{}
	limits.Sidecar.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	specs := map[string]configv1alpha2.MeshConfigSpec{"spec.sidecar.resources": limits}
	for path, text := range map[string]string{
		"spec.sidecar.enablePrivilegedInitContainer":          `{sidecar: {enablePrivilegedInitContainer: true}}`,
		"spec.sidecar.logLevel":                               `{sidecar: {logLevel: debug}}`,
		"spec.sidecar.envoyImage":                             `{sidecar: {envoyImage: other}}`,
		"spec.sidecar.initContainerImage":                     `{sidecar: {initContainerImage: other}}`,
		"spec.sidecar.statistics":                             `{sidecar: {statistics: All}}`,
		"spec.sidecar.classes":                                `{sidecar: {classes: [{name: small, concurrency: 7}]}}`,
		"spec.sidecar.sourceAddresses":                        `{sidecar: {sourceAddresses: Own}}`,
		"spec.sidecar.localProxyMode":                         `{sidecar: {localProxyMode: PodIP}}`,
		"spec.sidecar.destinations":                           `{sidecar: {destinations: OnDemand}}`,
		"spec.sidecar.destinations (by size)":                 `{sidecar: {destinations: Eager}}`,
		"spec.sidecar.tlsMinProtocolVersion":                  `{sidecar: {tlsMinProtocolVersion: TLSv1_3}}`,
		"spec.sidecar.cipherSuites":                           `{sidecar: {cipherSuites: [x]}}`,
		"spec.sidecar.maxDataPlaneConnections":                `{sidecar: {maxDataPlaneConnections: 7}}`,
		"spec.traffic.enableEgress":                           `{traffic: {enableEgress: true}}`,
		"spec.traffic.enablePermissiveTrafficPolicyMode":      `{traffic: {enablePermissiveTrafficPolicyMode: true}}`,
		"spec.traffic.outboundIPRangeExclusionList":           `{traffic: {outboundIPRangeExclusionList: [10.0.0.0/8]}}`,
		"spec.traffic.outboundIPRangeInclusionList":           `{traffic: {outboundIPRangeInclusionList: ["fd00::/8"]}}`,
		"spec.traffic.outboundPortExclusionList":              `{traffic: {outboundPortExclusionList: [6379]}}`,
		"spec.traffic.inboundPortExclusionList":               `{traffic: {inboundPortExclusionList: [22]}}`,
		"spec.traffic.networkInterfaceExclusionList":          `{traffic: {networkInterfaceExclusionList: [net1]}}`,
		"spec.certificate.serviceCertValidityDuration":        `{certificate: {serviceCertValidityDuration: 1h}}`,
		"spec.observability.osmLogLevel":                      `{observability: {osmLogLevel: debug}}`,
		"spec.traffic.inboundExternalAuthorization (enabled)": `{traffic: {inboundExternalAuthorization: {enable: true}}}`,
	} {
		var spec configv1alpha2.MeshConfigSpec
		if err := yaml.UnmarshalStrict([]byte(text), &spec); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		specs[path] = spec
	}
	for path, spec := range specs {
		changes := !cmp.Equal(untouched, inject(spec))
		if reported := slices.Contains(ingest.NewPodFields(&spec), path); reported != changes {
			t.Errorf("%s changes new pods: %t, but NewPodFields reports it: %t", path, changes, reported)
		}
	}
}
