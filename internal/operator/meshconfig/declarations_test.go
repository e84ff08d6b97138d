package meshconfig

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestEveryDeclarationReachesItsField(t *testing.T) {
	mesh := &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{
		ControlPlane: &v1alpha1.ControlPlaneSpec{LogLevel: ptr.To("debug")},
		Sidecar: &v1alpha1.SidecarSpec{Image: ptr.To("example/envoy:2"), LogLevel: ptr.To("info"), Statistics: ptr.To("All"), Destinations: ptr.To("Auto"), SourceAddresses: ptr.To("Own"), Classes: []v1alpha1.SidecarClass{{Name: "small", Concurrency: ptr.To[int32](1), DrainTimeout: ptr.To(v1alpha1.Duration("10m"))}}, Resources: &corev1.ResourceRequirements{
			Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.5")},
		}},
		Observability: &v1alpha1.ObservabilitySpec{
			AccessLog: &v1alpha1.AccessLogSpec{Sampling: ptr.To(v1alpha1.Percentage("10%"))},
			Tracing:   &v1alpha1.TracingSpec{Enabled: ptr.To(true), Protocol: ptr.To("OTLP"), Sampling: ptr.To(v1alpha1.Percentage("5%"))},
		},
		Traffic: &v1alpha1.TrafficSpec{Permissive: ptr.To(true), Egress: ptr.To(false), RulesWithoutMatches: ptr.To("None")},
		Certificates: &v1alpha1.CertificatesSpec{
			ServiceCertificateDuration: ptr.To(v1alpha1.Duration("1h30m")),
			Key:                        &v1alpha1.KeySpec{Algorithm: ptr.To(v1alpha1.RSA), Size: ptr.To[int32](4096)},
		},
	}}
	declared, err := declarations(mesh)
	if err != nil {
		t.Fatal(err)
	}
	object, err := declaredMeshConfig("osm-system", declared)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"observability": map[string]any{
			"osmLogLevel": "debug", "accessLog": map[string]any{"samplingPercentage": "10"}, "tracing": map[string]any{"enable": true, "protocol": "OTLP", "samplingPercentage": "5"},
		},
		"sidecar": map[string]any{
			"envoyImage": "example/envoy:2", "logLevel": "info", "statistics": "All", "destinations": "Auto", "sourceAddresses": "Own",
			"classes":   []any{map[string]any{"name": "small", "concurrency": int64(1), "drainTimeout": "10m"}},
			"resources": map[string]any{"limits": map[string]any{"cpu": "500m"}},
		},
		"traffic":     map[string]any{"enablePermissiveTrafficPolicyMode": true, "enableEgress": false, "rulesWithoutMatches": "None"},
		"certificate": map[string]any{"serviceCertValidityDuration": "1h30m0s", "certKeyBitSize": int64(4096)},
	}
	if diff := cmp.Diff(want, object.Object["spec"]); diff != "" {
		t.Errorf("declared fields (-want +got):\n%s", diff)
	}
}

func TestNothingDeclaredWritesNothing(t *testing.T) {
	// A key of elliptic curves says nothing about the size of RSA keys.
	mesh := &v1alpha1.Mesh{Spec: v1alpha1.MeshSpec{
		Traffic: &v1alpha1.TrafficSpec{}, Sidecar: &v1alpha1.SidecarSpec{}, ControlPlane: &v1alpha1.ControlPlaneSpec{},
		Certificates: &v1alpha1.CertificatesSpec{Key: &v1alpha1.KeySpec{Size: ptr.To[int32](384)}},
	}}
	declared, err := declarations(mesh)
	if err != nil {
		t.Fatal(err)
	}
	if len(declared) != 0 {
		t.Errorf("declared %v", declared)
	}
}

func TestFieldsOfNamesTheFieldOfTheMesh(t *testing.T) {
	declared := []declaration{
		{"spec.traffic.egress", []string{"traffic", "enableEgress"}, true},
		{"spec.sidecar.resources", []string{"sidecar", "resources"}, nil},
	}
	got := fieldsOf(declared, []string{"spec.sidecar.resources.limits.cpu"})
	if diff := cmp.Diff([]string{"spec.sidecar.resources"}, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestPresetIsAMeshConfig(t *testing.T) {
	object, err := presetMeshConfig("osm-system")
	if err != nil {
		t.Fatal(err)
	}
	var typed configv1alpha2.MeshConfig
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &typed, true); err != nil {
		t.Errorf("the preset has fields that a MeshConfig does not have: %v", err)
	}
	if v := assess(&typed); v.Reason != v1alpha1.ReasonAccepted {
		t.Errorf("a new mesh complains about its own presets: %s", v.Message)
	}
}

func TestAppliedReadsOwnership(t *testing.T) {
	fields := `{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:traffic":{"f:enableEgress":{}},"f:sidecar":{"f:resources":{"f:limits":{".":{},"f:cpu":{}}}},` +
		`"f:list":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}}}}}`
	entries := []metav1.ManagedFieldsEntry{
		{Manager: "osm-operator", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(fields)},
		{Manager: "osm-operator", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:update":{}}}`)},
		{Manager: "osm-operator", Operation: metav1.ManagedFieldsOperationApply, Subresource: "status", FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:status":{}}}`)},
		{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:other":{}}}`)},
	}
	got, err := appliedFields(entries, "osm-operator")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"spec.list", "spec.sidecar.resources.limits.cpu", "spec.traffic.enableEgress"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owned fields (-want +got):\n%s", diff)
	}
}

func TestLeavesAndPickAgree(t *testing.T) {
	object, err := presetMeshConfig("osm-system")
	if err != nil {
		t.Fatal(err)
	}
	paths := leafFields(object)
	copied := &unstructured.Unstructured{Object: map[string]any{}}
	if err := copyFields(object, copied, paths); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(object.Object["spec"], copied.Object["spec"]); diff != "" {
		t.Errorf("picking every leaf does not give the whole (-want +got):\n%s", diff)
	}
	if left := without(paths, paths); len(left) != 0 {
		t.Errorf("minus itself leaves %v", left)
	}
}
