package operator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// ignoreDrift sets or removes the annotation that excludes an object from drift repair.
func ignoreDrift(object client.Object, ignore bool) {
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	delete(annotations, names.DriftAnnotation)
	if ignore {
		annotations[names.DriftAnnotation] = names.DriftIgnore
	}
	object.SetAnnotations(annotations)
}

// waitMessage waits until the message of a condition contains, or does not contain, a text.
func waitMessage(t *testing.T, mesh *v1alpha1.Mesh, kind, words string, want bool) {
	t.Helper()
	eventually(t, func() error {
		get(t, mesh)
		c := meta.FindStatusCondition(mesh.Status.Conditions, kind)
		if c == nil || strings.Contains(c.Message, words) != want {
			return fmt.Errorf("the message of %s contains %q: want %v, have %+v", kind, words, want, c)
		}
		return nil
	})
}

func TestDriftOfAnnotatedObjectsIsIgnored(t *testing.T) {
	t.Parallel()
	const name = "handmade"
	mesh := readyMesh(t, name, func(spec *v1alpha1.MeshSpec) { spec.Traffic = &v1alpha1.TrafficSpec{Egress: ptr.To(false)} })
	deployment := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	change(t, deployment, func(d *appsv1.Deployment) {
		ignoreDrift(d, true)
		d.Spec.Template.Spec.Containers[0].Image = "example/patched:1"
	})
	service := &corev1.Service{ObjectMeta: inMeshNamespace(name, names.Injector)}
	change(t, service, func(s *corev1.Service) { ignoreDrift(s, true); s.Spec.Selector["app"] = "other" })
	config := meshConfig(name)
	change(t, config, func(c *configv1alpha2.MeshConfig) { ignoreDrift(c, true); c.Spec.Traffic.EnableEgress = true })
	waitMessage(t, mesh, v1alpha1.ConditionControlPlaneReady, "not updated because of the annotation operator.openservicemesh.io/drift=ignore: Deployment handmade-system/osm-controller", true)
	waitMessage(t, mesh, v1alpha1.ConditionInstalled, "MeshConfig handmade-system/osm-mesh-config", true)
	waitMessage(t, mesh, v1alpha1.ConditionComponentsReady, "Service handmade-system/osm-injector", true)
	waitEvent(t, "osm-injector", "DriftIgnored", "remove the annotation")
	waitReady(t, mesh)
	waitNoWrites(t, name)
	get(t, deployment)
	get(t, service)
	get(t, config)
	if deployment.Spec.Template.Spec.Containers[0].Image != "example/patched:1" || service.Spec.Selector["app"] != "other" || !config.Spec.Traffic.EnableEgress {
		t.Errorf("an ignored object was changed: %s, %v, egress %v", deployment.Spec.Template.Spec.Containers[0].Image, service.Spec.Selector, config.Spec.Traffic.EnableEgress)
	}

	change(t, deployment, func(d *appsv1.Deployment) { ignoreDrift(d, false) })
	waitFor(t, deployment, func(d *appsv1.Deployment) error {
		if image := d.Spec.Template.Spec.Containers[0].Image; image != "example/controller:1" {
			return fmt.Errorf("the image is still %s", image)
		}
		return nil
	})
	waitMessage(t, mesh, v1alpha1.ConditionControlPlaneReady, "not updated because of the annotation", false)
	waitEvent(t, "osm-controller", "DriftIgnoreEnded", "is updated again")

	// Ignored objects are deleted with their mesh.
	if err := cluster.client.Delete(t.Context(), mesh); err != nil {
		t.Fatal(err)
	}
	waitGone(t, mesh)
	waitGone(t, service)
}

// A Deployment with ignored drift is not updated, so the upgrade waits for it.
func TestIgnoredDeploymentBlocksUpgrade(t *testing.T) {
	t.Parallel()
	const name = "stubborn"
	mesh := readyMesh(t, name, fastUpgrades)
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, "", olderVersion)
	deployment := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	change(t, deployment, func(d *appsv1.Deployment) { ignoreDrift(d, true) })
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitMessage(t, mesh, v1alpha1.ConditionControlPlaneReady, "still version "+olderVersion, true)
	waitMessage(t, mesh, v1alpha1.ConditionControlPlaneReady, "not updated", true)
	change(t, deployment, func(d *appsv1.Deployment) { ignoreDrift(d, false) })
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	waitReady(t, mesh)
}

// Repairs keep the labels, annotations, variables, containers and other fields that others have added.
func TestRepairKeepsFieldsOfOthers(t *testing.T) {
	t.Parallel()
	const name = "hosting"
	readyMesh(t, name, nil)
	deployment := &appsv1.Deployment{ObjectMeta: inMeshNamespace(name, names.Controller)}
	get(t, deployment)
	declared := deployment.Spec.Template.Spec.Containers[0].Ports
	change(t, deployment, func(d *appsv1.Deployment) {
		d.Labels["example/team"], d.Spec.Template.Labels["example/team"] = "a", "a"
		pod := &d.Spec.Template.Spec
		pod.Containers = append(pod.Containers, corev1.Container{Name: "agent", Image: "example/agent:1"})
		pod.Containers[0].Env = append(pod.Containers[0].Env, corev1.EnvVar{Name: "HTTPS_PROXY", Value: "http://proxy.example"})
		pod.TopologySpreadConstraints = append(pod.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew: 1, TopologyKey: "example/rack", WhenUnsatisfiable: corev1.ScheduleAnyway,
		})
		pod.Containers[0].Image = "evil/image:1"
		// The duplicate name conflicts with the repaired port.
		pod.Containers[0].Ports[0].ContainerPort++
	})
	config := meshConfig(name)
	change(t, config, func(c *configv1alpha2.MeshConfig) { c.Spec.Observability.OSMLogLevel = "trace" })
	waitFor(t, deployment, func(d *appsv1.Deployment) error {
		if c := d.Spec.Template.Spec.Containers[0]; c.Image != "example/controller:1" || !slices.Equal(c.Ports, declared) {
			return fmt.Errorf("the container is still %s with ports %v", c.Image, c.Ports)
		}
		return nil
	})
	waitNoWrites(t, name)
	get(t, deployment)
	get(t, config)
	pod := deployment.Spec.Template.Spec
	kept := map[string]bool{
		"labels":              deployment.Labels["example/team"] == "a" && deployment.Spec.Template.Labels["example/team"] == "a",
		"a container":         len(pod.Containers) == 2,
		"a variable":          pod.Containers[0].Env[len(pod.Containers[0].Env)-1].Name == "HTTPS_PROXY",
		"a constraint":        len(pod.TopologySpreadConstraints) == 2,
		"an undeclared field": config.Spec.Observability.OSMLogLevel == "trace",
	}
	for what, ok := range kept {
		if !ok {
			t.Errorf("%s of others was removed: %+v", what, pod)
		}
	}
}
