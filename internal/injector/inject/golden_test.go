package inject

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/golden"
)

const testUUID = "7f7c1f0e-6a8d-4a52-9d0b-3f4c5b6a7d8e"

func testConfig() Config {
	return Config{
		Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Revision: "osm-v0-1-0",
		EnvoyImage: "openservicemesh/envoy:v0.1.0", InitImage: "openservicemesh/init:v0.1.0",
	}
}

func testNamespace() Namespace {
	return Namespace{
		Name:        "shop",
		Labels:      map[string]string{names.MonitoredByLabel: "osm"},
		Annotations: map[string]string{names.InjectionAnnotation: "enabled"},
	}
}

// goldenCases returns changes to the default configuration and namespace, one behavior each.
func goldenCases() map[string]func(*Config, *Namespace) {
	unchanged := func(*Config, *Namespace) {}
	return map[string]func(*Config, *Namespace){
		"plain":               unchanged,
		"own-init-containers": unchanged,
		"probes-single":       unchanged,
		"probes-several":      unchanged,
		"hooks":               unchanged,
		"forged":              unchanged,
		"copied-from-osm":     unchanged,
		"in-place":            func(c *Config, _ *Namespace) { c.InPlace, c.DrainBound, c.SlotsLevel = true, 2*time.Hour, 1 },
		"metrics":             func(_ *Config, ns *Namespace) { ns.Annotations[names.MetricsAnnotation] = "enabled" },
		"exclusions": func(c *Config, _ *Namespace) {
			c.Settings.Traffic = configv1alpha2.TrafficSpec{
				OutboundPortExclusionList: []int{6379}, OutboundIPRangeExclusionList: []string{"10.1.0.0/16"}, NetworkInterfaceExclusionList: []string{"net1"},
			}
		},
		"settings": func(c *Config, _ *Namespace) {
			c.Revision = ""
			c.Settings.Sidecar = configv1alpha2.SidecarSpec{
				EnablePrivilegedInitContainer: true, LogLevel: "debug", EnvoyImage: "registry/envoy:1", InitContainerImage: "registry/init:1",
				LocalProxyMode: configv1alpha2.LocalProxyModePodIP,
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("3500m"), corev1.ResourceMemory: resource.MustParse("256Mi"),
				}},
			}
		},
	}
}

func readPod(t *testing.T, path string) *corev1.Pod {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := yaml.UnmarshalStrict(content, pod); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return pod
}

func TestMutateGolden(t *testing.T) {
	for name, change := range goldenCases() {
		t.Run(name, func(t *testing.T) {
			config, ns := testConfig(), testNamespace()
			change(&config, &ns)
			pod := readPod(t, filepath.Join("testdata", name+".in.yaml"))
			before := pod.DeepCopy()
			injected, err := Mutate(pod, ns, config, testUUID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, pod); diff != "" {
				t.Errorf("Mutate modified its argument (-before +after):\n%s", diff)
			}
			got, err := yaml.Marshal(injected)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".out.yaml")
			golden.Compare(t, path, got)
		})
	}
}

// TestThreat32InjectedAgain injects pods again, as happens to copied and restored pods.
func TestThreat32InjectedAgain(t *testing.T) {
	for name, change := range goldenCases() {
		t.Run(name, func(t *testing.T) {
			config, ns := testConfig(), testNamespace()
			change(&config, &ns)
			once, err := Mutate(readPod(t, filepath.Join("testdata", name+".in.yaml")), ns, config, "first")
			if err != nil {
				t.Fatal(err)
			}
			again, err := Mutate(once, ns, config, testUUID)
			if err != nil {
				t.Fatal(err)
			}
			want := readPod(t, filepath.Join("testdata", name+".out.yaml"))
			if diff := cmp.Diff(want, again); diff != "" {
				t.Errorf("a second injection differs from a first (-first +second):\n%s", diff)
			}
		})
	}
}
