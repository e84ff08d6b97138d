package operator_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestNewMeshConfigHasPresetsAndDeniesTraffic(t *testing.T) {
	t.Parallel()
	const name = "presets"
	readyMesh(t, name, nil)
	live := meshConfig(name)
	get(t, live)
	spec := live.Spec
	if spec.Traffic.EnablePermissiveTrafficPolicyMode || spec.Traffic.EnableEgress {
		t.Errorf("a new mesh must deny: %+v", spec.Traffic)
	}
	if spec.Certificate.ServiceCertValidityDuration != "24h" || spec.Certificate.CertKeyBitSize != 2048 || spec.Observability.OSMLogLevel != "info" ||
		spec.Sidecar.LogLevel != "error" || spec.Sidecar.LocalProxyMode != configv1alpha2.LocalProxyModeLocalhost || !spec.FeatureFlags.EnableEgressPolicy {
		t.Errorf("the presets are incomplete: %+v", spec)
	}
}

func TestUndeclaredFieldsBelongToUsers(t *testing.T) {
	t.Parallel()
	const name = "shared"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) { spec.Traffic = &v1alpha1.TrafficSpec{Egress: ptr.To(true)} })
	live := meshConfig(name)
	waitFor(t, live, func(m *configv1alpha2.MeshConfig) error { return wantEgress(m, true) })

	// A user edits an undeclared and a declared field. The operator reverts the latter only.
	change(t, live, func(m *configv1alpha2.MeshConfig) {
		m.Spec.Traffic.EnableEgress = false
		m.Spec.Traffic.EnablePermissiveTrafficPolicyMode = true
		m.Spec.Observability.OSMLogLevel = "debug"
	})
	waitFor(t, live, func(m *configv1alpha2.MeshConfig) error { return wantEgress(m, true) })
	waitEvent(t, "spec.traffic.enableEgress", "Reverted", "the Mesh declares it in spec.traffic.egress")
	waitNoWrites(t, name)
	get(t, live)
	if !live.Spec.Traffic.EnablePermissiveTrafficPolicyMode || live.Spec.Observability.OSMLogLevel != "debug" {
		t.Errorf("undeclared fields were changed: %+v", live.Spec)
	}

	// A field that is no longer declared keeps its value, and users can change it.
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Traffic = nil })
	waitEvent(t, "spec.traffic.enableEgress", "HandedBack", "keeps its value", "shared-system")
	waitReady(t, mesh)
	waitNoWrites(t, name)
	get(t, live)
	if err := wantEgress(live, true); err != nil {
		t.Errorf("the field did not keep its value: %v", err)
	}
	change(t, live, func(m *configv1alpha2.MeshConfig) { m.Spec.Traffic.EnableEgress = false })
	waitNoWrites(t, name)
	get(t, live)
	if err := wantEgress(live, false); err != nil {
		t.Errorf("the operator reverted an undeclared field: %v", err)
	}

	// Handing back another field keeps the fields that were handed back earlier.
	change(t, mesh, func(m *v1alpha1.Mesh) {
		m.Spec.Sidecar = &v1alpha1.SidecarSpec{LogLevel: ptr.To("warning")}
	})
	waitFor(t, live, func(m *configv1alpha2.MeshConfig) error {
		if m.Spec.Sidecar.LogLevel != "warning" {
			return fmt.Errorf("log level %s", m.Spec.Sidecar.LogLevel)
		}
		return nil
	})
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Sidecar = nil })
	waitEvent(t, "spec.sidecar.logLevel", "HandedBack", "shared-system")
	waitNoWrites(t, name)
	get(t, live)
	if live.Spec.Sidecar.LogLevel != "warning" || live.Spec.Traffic.EnableEgress || live.Spec.Certificate.CertKeyBitSize != 2048 {
		t.Errorf("handing back changed values: %+v", live.Spec)
	}
}

// A deleted MeshConfig is recreated with the presets and the declared fields.
func TestDeletedMeshConfigIsRecreated(t *testing.T) {
	t.Parallel()
	const name = "regrown"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) { spec.Traffic = &v1alpha1.TrafficSpec{Permissive: ptr.To(true)} })
	live := meshConfig(name)
	get(t, live)
	earlier := live.UID
	if err := cluster.client.Delete(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	waitFor(t, live, func(m *configv1alpha2.MeshConfig) error {
		if m.UID == earlier || !m.Spec.Traffic.EnablePermissiveTrafficPolicyMode || m.Spec.Certificate.ServiceCertValidityDuration != "24h" {
			return fmt.Errorf("the MeshConfig is not complete: %+v", m.Spec)
		}
		return nil
	})
	waitReady(t, mesh)
}

// A MeshConfig that is created with defaults loses the settings of users.
func TestDeletedMeshConfigIsRestored(t *testing.T) {
	t.Parallel()
	const name = "withoutconfig"
	mesh := readyMesh(t, name, nil)
	live := meshConfig(name)
	change(t, live, func(m *configv1alpha2.MeshConfig) {
		m.Spec.Traffic.EnablePermissiveTrafficPolicyMode, m.Spec.Traffic.EnableEgress = true, true
	})
	waitFor(t, &corev1.ConfigMap{ObjectMeta: inMeshNamespace(name, "osm-mesh-config-backup")}, func(c *corev1.ConfigMap) error {
		if !strings.Contains(c.Data["spec.json"], `"enableEgress":true`) {
			return fmt.Errorf("the last values are not stored: %v", c.Data)
		}
		return nil
	})
	earlier := live.UID
	remove(t, live)
	waitRecreated(t, live, earlier)
	if !live.Spec.Traffic.EnablePermissiveTrafficPolicyMode || !live.Spec.Traffic.EnableEgress {
		t.Errorf("the MeshConfig has lost its values: %+v", live.Spec.Traffic)
	}
	waitEvent(t, meshNamespace(name), "Restored", "somebody has deleted it")
	waitReady(t, mesh)
}

func wantEgress(m *configv1alpha2.MeshConfig, want bool) error {
	if m.Spec.Traffic.EnableEgress != want {
		return fmt.Errorf("enableEgress is %v", m.Spec.Traffic.EnableEgress)
	}
	return nil
}

func TestExistingMeshConfigIsAdoptedUnchanged(t *testing.T) {
	t.Parallel()
	const name = "adopted"
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: meshNamespace(name)}})
	own := meshConfig(name)
	own.Spec = configv1alpha2.MeshConfigSpec{
		Traffic:     configv1alpha2.TrafficSpec{EnablePermissiveTrafficPolicyMode: true, EnableEgress: true},
		Certificate: configv1alpha2.CertificateSpec{ServiceCertValidityDuration: "1h", CertKeyBitSize: 4096},
	}
	create(t, own)
	generation := own.Generation
	mesh := readyMesh(t, name, nil)
	waitNoWrites(t, name)
	get(t, own)
	if own.Generation != generation || len(own.Labels) != 0 || len(own.OwnerReferences) != 0 {
		t.Errorf("the existing MeshConfig was changed: %+v", own.ObjectMeta)
	}

	// It stays after the mesh is deleted.
	if err := cluster.client.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	waitGone(t, mesh)
	get(t, own)
}

func TestUnsupportedFieldsAreReported(t *testing.T) {
	t.Parallel()
	const name = "unread"
	mesh := readyMesh(t, name, nil)
	waitCondition(t, mesh, v1alpha1.ConditionConfigurationAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	live := meshConfig(name)
	isQuiet := func(m *configv1alpha2.MeshConfig) error {
		if m.Status.ObservedGeneration != 0 || len(m.Status.Conditions) != 0 {
			return fmt.Errorf("a MeshConfig without problems has a status: %+v", m.Status)
		}
		return nil
	}
	waitFor(t, live, isQuiet)
	change(t, live, func(m *configv1alpha2.MeshConfig) {
		m.Spec.Sidecar.EnvoyWindowsImage = "envoy.example/windows:v1"
	})
	c := waitCondition(t, mesh, v1alpha1.ConditionConfigurationAccepted, metav1.ConditionFalse, v1alpha1.ReasonFieldsNotActedOn)
	assertContains(t, c.Message, "spec.sidecar.envoyWindowsImage")
	waitReady(t, mesh)
	waitFor(t, live, func(m *configv1alpha2.MeshConfig) error {
		accepted := meta.FindStatusCondition(m.Status.Conditions, configv1alpha2.ConditionAccepted)
		if accepted == nil || accepted.Status != metav1.ConditionFalse || accepted.ObservedGeneration != m.Generation {
			return fmt.Errorf("the MeshConfig is not marked as such: %+v", m.Status)
		}
		return nil
	})
	change(t, live, func(m *configv1alpha2.MeshConfig) { m.Spec.Sidecar.EnvoyWindowsImage = "" })
	waitCondition(t, mesh, v1alpha1.ConditionConfigurationAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted)
	waitFor(t, live, isQuiet)
}
