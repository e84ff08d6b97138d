package inject

import (
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// injectSlots injects the plain pod with two slots.
func injectSlots(t *testing.T, change func(*Config, *Namespace)) *corev1.Pod {
	t.Helper()
	config, ns := testConfig(), testNamespace()
	config.InPlace = true
	change(&config, &ns)
	pod, err := Mutate(readPod(t, filepath.Join("testdata", "settings.in.yaml")), ns, config, testUUID)
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// TestSlotsAreScrapedOnce has a namespace with metrics. Prometheus and ServiceMonitors have a target for each container that declares the port.
func TestSlotsAreScrapedOnce(t *testing.T) {
	pod := injectSlots(t, func(_ *Config, ns *Namespace) { ns.Annotations[names.MetricsAnnotation] = "enabled" })
	var declaring []string
	for c := range containers(pod) {
		if slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == names.PrometheusPort }) {
			declaring = append(declaring, c.Name)
		}
	}
	if !slices.Equal(declaring, []string{names.SidecarContainer}) || pod.Annotations[names.ScrapePortAnnotation] != "15010" {
		t.Errorf("the metrics port belongs to %v, the annotations are %v", declaring, pod.Annotations)
	}
}

// TestSlotsHaveTheSettings changes what users set for a sidecar. The slots may differ in their names and ports only, and both restart always: the kubelet
// ends such containers after those of the application, also of a Job.
func TestSlotsHaveTheSettings(t *testing.T) {
	pod := injectSlots(t, goldenCases()["settings"])
	var slots []corev1.Container
	for c := range containers(pod) {
		if names.IsSlot(c.Name) {
			slots = append(slots, *c.DeepCopy())
		}
	}
	if len(slots) != 2 {
		t.Fatalf("the pod has the slots %v", slots)
	}
	first := slots[0]
	if first.Image != "registry/envoy:1" || !slices.Contains(first.Args, "debug") || first.Resources.Limits.Memory().String() != "256Mi" ||
		first.RestartPolicy == nil || *first.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("the first slot is %+v", first)
	}
	second := slots[1]
	at := slices.Index(second.Args, names.StandbyContainer)
	if at < 0 {
		t.Fatalf("the arguments of the second slot are %v", second.Args)
	}
	second.Args[at], second.Name, second.Ports = names.SidecarContainer, first.Name, first.Ports
	if !slices.Equal(first.Args, second.Args) || first.Image != second.Image || first.Resources.String() != second.Resources.String() || len(first.Env) != len(second.Env) {
		t.Errorf("the slots differ: %+v and %+v", first, second)
	}
}

// TestPodsWhoseRestartsAreCountedHaveOneSlot has pods with an end. Their slots would never be changed, so two of them gain nothing.
func TestPodsWhoseRestartsAreCountedHaveOneSlot(t *testing.T) {
	for policy, want := range map[corev1.RestartPolicy]int{corev1.RestartPolicyAlways: 2, corev1.RestartPolicyOnFailure: 1, corev1.RestartPolicyNever: 1} {
		config := testConfig()
		config.InPlace, config.SlotsLevel = true, 1
		pod := readPod(t, filepath.Join("testdata", "settings.in.yaml"))
		pod.Spec.RestartPolicy = policy
		injected, err := Mutate(pod, testNamespace(), config, testUUID)
		if err != nil {
			t.Fatal(err)
		}
		assertSlots(t, injected, want)
	}
}

// assertSlots fails unless a pod has a number of slots, and everything that belongs to them or nothing of it.
func assertSlots(t *testing.T, pod *corev1.Pod, want int) {
	t.Helper()
	slots := 0
	for c := range containers(pod) {
		if names.IsSlot(c.Name) {
			slots++
		}
	}
	_, annotated := pod.Annotations[names.SlotsLevelAnnotation]
	hasVolume := slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == names.SlotsVolume })
	if slots != want || annotated != (want == 2) || hasVolume != (want == 2) {
		t.Errorf("a pod with the restartPolicy %s has %d slots, want %d; level %t, volume %t", pod.Spec.RestartPolicy, slots, want, annotated, hasVolume)
	}
}
