package operator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/full"
)

// observationTime returns the time without changes during which writes are counted. Writes of a reconciliation that triggers itself, or every
// few seconds, are seen in 15 s.
func observationTime() time.Duration {
	if full.Is() {
		return time.Minute
	}
	return 15 * time.Second
}

// TestIdleMeshesOfAllKindsAreNotWritten creates one mesh of each kind and expects no writes of the operator without
// changes, except for Leases.
func TestIdleMeshesOfAllKindsAreNotWritten(t *testing.T) {
	for i, spec := range sampleSpecs(t) {
		readyMesh(t, fmt.Sprintf("calm-sample-%d", i), func(s *v1alpha1.MeshSpec) {
			namespace := s.Namespace
			*s = spec
			s.Namespace = namespace
		})
	}
	readyMesh(t, "calm-minimal", nil)
	readyMesh(t, "calm-everything", everything)
	readyMesh(t, "calm-replicas", func(s *v1alpha1.MeshSpec) {
		s.ControlPlane = scheduled()
		s.ControlPlane.Controller, s.ControlPlane.Injector = replicas(1).Controller, replicas(1).Injector
		s.ControlPlane.Controller.Resources = &corev1.ResourceRequirements{Requests: resources("0.050", "65536Ki"), Limits: resources("1", "1Gi")}
	})
	scaled := readyMesh(t, "calm-scaled", func(s *v1alpha1.MeshSpec) {
		s.ControlPlane = autoscaled(v1alpha1.AutoscalingSpec{MaxReplicas: 4})
	})
	waitNoWrites(t)
	scale(t, scaled.Name, names.Controller, 4)
	idleWithWorkloads(t)
	idlePaused(t)
	idleRolledBack(t)
	idleWithIgnoredObjects(t)
	idlePlanned(t)
	waitNoWrites(t)
	before := cluster.writes.count()
	timer := time.NewTimer(observationTime())
	defer timer.Stop()
	<-timer.C
	// Repeated Events of earlier tests are written once more, some minutes after their last occurrence.
	written := slices.DeleteFunc(cluster.writes.since(before), func(request string) bool {
		return strings.HasPrefix(request, "PATCH /apis/events.k8s.io/") && !strings.Contains(request, "/events/calm-")
	})
	if len(written) > 0 {
		t.Errorf("the operator wrote %d times to idle meshes: %v", len(written), written)
	}
}

// sampleSpecs returns the specs of all Meshes in the samples.
func sampleSpecs(t *testing.T) []v1alpha1.MeshSpec {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var specs []v1alpha1.MeshSpec
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range strings.Split(string(text), "\n---\n") {
			mesh := &v1alpha1.Mesh{}
			if err := yaml.Unmarshal([]byte(document), mesh); err == nil && mesh.Kind == "Mesh" {
				specs = append(specs, mesh.Spec)
			}
		}
	}
	if len(specs) == 0 {
		t.Fatal("there is no Mesh among the samples")
	}
	return specs
}

// idleWithWorkloads creates a mesh with workloads, some of which have outdated sidecars that are not restarted automatically.
func idleWithWorkloads(t *testing.T) {
	t.Helper()
	const name = "calm-members"
	mesh := readyMesh(t, name, func(s *v1alpha1.MeshSpec) {
		fastUpgrades(s)
		s.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartManual)
	})
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "calm-member", Labels: map[string]string{names.MonitoredByLabel: name}}})
	newWorkloads(t, name, "cart", "search").wait("calm-members-v0-0-9", 2)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	waitReady(t, mesh)
}

// idlePaused creates a paused mesh with drift.
func idlePaused(t *testing.T) {
	t.Helper()
	const name = "calm-paused"
	mesh := readyMesh(t, name, nil)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Paused = ptr.To(true) })
	waitCondition(t, mesh, v1alpha1.ConditionPaused, metav1.ConditionTrue, v1alpha1.ReasonPaused)
	change(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](5) })
}

// idleRolledBack creates a mesh after a rollback.
func idleRolledBack(t *testing.T) {
	t.Helper()
	const name = "calm-back"
	mesh := readyMesh(t, name, fastUpgrades)
	newWorkloads(t, name, "cart").wait("calm-back-v0-0-9", 1)
	unhealthy := healthy()
	unhealthy.Restarts = []health.PodRestarts{{UID: "controller", Created: time.Now().Add(time.Hour), Count: 9}}
	cluster.health.set(meshNamespace(name), operatorVersion, unhealthy)
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
}

// idleWithIgnoredObjects creates a mesh with objects whose drift is ignored.
func idleWithIgnoredObjects(t *testing.T) {
	t.Helper()
	const name = "calm-handmade"
	mesh := readyMesh(t, name, nil)
	change(t, &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Injector)}, func(d *appsv1.Deployment) {
		ignoreDrift(d, true)
		d.Spec.Template.Spec.Containers[0].Image = "example/patched:1"
	})
	change(t, &corev1.Service{ObjectMeta: inMeshNamespace(name, names.Injector)}, func(s *corev1.Service) { ignoreDrift(s, true) })
	waitMessage(t, mesh, v1alpha1.ConditionComponentsReady, "not updated because of the annotation", true)
}

// idlePlanned creates a mesh in Plan mode.
func idlePlanned(t *testing.T) {
	t.Helper()
	mesh := newMesh(t, "calm-planned", func(s *v1alpha1.MeshSpec) { s.Mode = ptr.To(v1alpha1.ModePlan) })
	eventually(t, func() error {
		get(t, mesh)
		if mesh.Status.Plan == nil {
			return fmt.Errorf("there is no plan yet")
		}
		return nil
	})
}
