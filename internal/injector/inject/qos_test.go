package inject

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestGuaranteedPodsRequestNoMoreForTheirStart has applications with little and much CPU. osm-init needs some, and is as fast as in other pods if the pod has enough.
func TestGuaranteedPodsRequestNoMoreForTheirStart(t *testing.T) {
	for cpu, want := range map[string]string{"10m": "110m", "200m": "300m", "2": "500m"} {
		config := testConfig()
		config.Settings.Sidecar.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}
		pod := parsePod(t, `{spec: {containers: [{name: app, resources: {limits: {cpu: `+cpu+`, memory: 64Mi}}}]}}`)
		injected, err := Mutate(pod, testNamespace(), config, testUUID)
		if err != nil {
			t.Fatal(err)
		}
		if got := injected.Spec.InitContainers[0].Resources.Requests.Cpu().String(); got != want {
			t.Errorf("an application with %s: osm-init requests %s, want %s", cpu, got, want)
		}
	}
}

// TestGuaranteedPodsStayGuaranteed injects pods of which all or some containers have equal requests and limits. A pod that is not Guaranteed keeps the small
// requests of the init containers.
func TestGuaranteedPodsStayGuaranteed(t *testing.T) {
	const equal = "{limits: {cpu: 200m, memory: 64Mi}, requests: {cpu: 200m, memory: 64Mi}}"
	equalSidecar := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}}
	for name, test := range map[string]struct {
		app, other string
		sidecar    corev1.ResourceRequirements
		want       bool
	}{
		"all equal":                 {equal, equal, equalSidecar, true},
		"only limits":               {"{limits: {cpu: 200m, memory: 64Mi}}", equal, equalSidecar, true},
		"no limit of the memory":    {"{limits: {cpu: 200m}, requests: {cpu: 200m}}", equal, equalSidecar, false},
		"an init container without": {equal, "{}", equalSidecar, false},
		"a sidecar without":         {equal, equal, corev1.ResourceRequirements{}, false},
		"smaller requests":          {"{limits: {cpu: 200m, memory: 64Mi}, requests: {cpu: 100m}}", equal, equalSidecar, false},
	} {
		for _, inPlace := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in place: %t", name, inPlace), func(t *testing.T) {
				config := testConfig()
				config.InPlace, config.Settings.Sidecar.Resources = inPlace, test.sidecar
				pod := parsePod(t, fmt.Sprintf(`{spec: {initContainers: [{name: migrate, resources: %s}], containers: [{name: app, resources: %s}]}}`, test.other, test.app))
				injected, err := Mutate(pod, testNamespace(), config, testUUID)
				if err != nil {
					t.Fatal(err)
				}
				guaranteed := true
				for c := range containers(injected) {
					guaranteed = guaranteed && isGuaranteed(c.Resources)
					small := c.Resources.Requests.Cpu().Cmp(*c.Resources.Limits.Cpu()) < 0
					if (c.Name == names.InitContainer || c.Name == names.WaitContainer) && small == test.want {
						t.Errorf("%s has the resources %+v", c.Name, c.Resources)
					}
				}
				if guaranteed != test.want {
					t.Errorf("guaranteed = %t, want %t", guaranteed, test.want)
				}
			})
		}
	}
}
