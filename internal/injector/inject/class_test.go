package inject

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// sidecarClasses are the classes of the tests. The mesh has a limit of 2 CPUs, and a drain bound of an hour.
const sidecarClasses = `
resources: {limits: {cpu: "2", memory: 128Mi}}
classes:
- {name: small, concurrency: 1, drainTimeout: 10m, resources: {requests: {cpu: 5m, memory: 32Mi}}}
- {name: slow, drainTimeout: 2h}
- {name: large, namespaceSelector: {matchLabels: {team: payments}}, resources: {limits: {cpu: "4", memory: 1Gi}}}
`

// TestSidecarClass injects pods that name a class, or whose namespaces do. One that does not exist, or is for other namespaces, changes nothing, and the creator of the pod is told.
func TestSidecarClass(t *testing.T) {
	for name, test := range map[string]struct {
		pod, namespace, team string
		memory, workers      string
		bound                time.Duration
		warning              string
	}{
		"none":                           {memory: "128Mi", workers: "2", bound: time.Hour},
		"of the pod":                     {pod: "small", workers: "1", bound: 10 * time.Minute},
		"of the namespace":               {namespace: "small", workers: "1", bound: 10 * time.Minute},
		"the pod's goes before":          {pod: "large", namespace: "small", team: "payments", memory: "1Gi", workers: "4", bound: time.Hour},
		"longer than the mesh's drain":   {pod: "slow", memory: "128Mi", workers: "2", bound: time.Hour},
		"of other namespaces":            {pod: "large", team: "shop", memory: "128Mi", workers: "2", bound: time.Hour, warning: "the class is for namespaces with the labels team=payments"},
		"of other namespaces, inherited": {namespace: "large", team: "shop", memory: "128Mi", workers: "2", bound: time.Hour, warning: "of the namespace shop has no effect"},
		"unknown":                        {pod: "huge", memory: "128Mi", workers: "2", bound: time.Hour, warning: "the mesh has no such class of sidecars: use small or slow or large"},
	} {
		t.Run(name, func(t *testing.T) {
			c := testConfig()
			c.InPlace, c.DrainBound = true, time.Hour
			if err := yaml.UnmarshalStrict([]byte(sidecarClasses), &c.Settings.Sidecar); err != nil {
				t.Fatal(err)
			}
			ns := testNamespace()
			ns.Name, ns.Labels = "shop", map[string]string{names.MonitoredByLabel: c.Mesh, "team": test.team}
			ns.Annotations = map[string]string{names.SidecarClassAnnotation: test.namespace}
			pod := parsePod(t, `{spec: {containers: [{name: app}]}}`)
			pod.Annotations = map[string]string{names.SidecarClassAnnotation: test.pod}
			injected, err := Mutate(pod, ns, c, testUUID)
			if err != nil {
				t.Fatal(err)
			}
			for _, slot := range []string{names.SidecarContainer, names.StandbyContainer} {
				checkSlot(t, containerOf(t, injected, slot), test.memory, test.workers, test.bound)
			}
			warnings := strings.Join(Warnings(pod, ns, c), "\n")
			if test.warning == "" && warnings != "" || !strings.Contains(warnings, test.warning) {
				t.Errorf("warnings %q, want %q", warnings, test.warning)
			}
		})
	}
}

// checkSlot compares the limit of memory, the worker threads and the drain bound of a slot.
func checkSlot(t *testing.T, c corev1.Container, memory, workers string, bound time.Duration) {
	t.Helper()
	limit := c.Resources.Limits[corev1.ResourceMemory]
	want := resource.Quantity{}
	if memory != "" {
		want = resource.MustParse(memory)
	}
	if limit.Cmp(want) != 0 {
		t.Errorf("%s has the limit %s, want %s", c.Name, limit.String(), want.String())
	}
	for _, option := range [][]string{{"--concurrency", workers}, {"--" + names.LauncherDrainFlag, bound.String()}} {
		if at := slices.Index(c.Args, option[0]); at < 0 || c.Args[at+1] != option[1] {
			t.Errorf("%s has the arguments %v, want %v", c.Name, c.Args, option)
		}
	}
}

func containerOf(t *testing.T, pod *corev1.Pod, name string) corev1.Container {
	t.Helper()
	at := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == name })
	if at < 0 {
		t.Fatalf("the pod has no container %s", name)
	}
	return pod.Spec.InitContainers[at]
}

// TestClassesOfOthersChangeNothing sets only classes that a pod does not name.
func TestClassesOfOthersChangeNothing(t *testing.T) {
	c := testConfig()
	pod := parsePod(t, `{spec: {containers: [{name: app}]}}`)
	before := mutated(t, pod, c)
	c.Settings.Sidecar.Classes = []configv1alpha2.SidecarClass{{Name: "small", Concurrency: new(int32(1))}}
	after := mutated(t, pod, c)
	a, b := containerOf(t, before, names.SidecarContainer), containerOf(t, after, names.SidecarContainer)
	if !slices.Equal(a.Args, b.Args) {
		t.Errorf("arguments %v, before %v", b.Args, a.Args)
	}
}

func mutated(t *testing.T, pod *corev1.Pod, c Config) *corev1.Pod {
	t.Helper()
	injected, err := Mutate(pod, testNamespace(), c, testUUID)
	if err != nil {
		t.Fatal(err)
	}
	return injected
}
