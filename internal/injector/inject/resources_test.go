package inject

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

func parseResources(t *testing.T, text string) corev1.ResourceRequirements {
	t.Helper()
	var r corev1.ResourceRequirements
	if err := yaml.UnmarshalStrict([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestInjectedContainersHaveTheSidecarsResources declares resources in each place that has some. All injected containers get the same.
func TestInjectedContainersHaveTheSidecarsResources(t *testing.T) {
	for name, test := range map[string]struct {
		declared string
		limited  []corev1.ResourceName
		pod      string
		want     string
	}{
		"nothing declared":               {"{}", nil, "{}", "{requests: {cpu: 10m, memory: 64Mi}}"},
		"a limit":                        {"{limits: {memory: 128Mi}}", nil, "{}", "{limits: {memory: 128Mi}, requests: {cpu: 10m}}"},
		"a request":                      {"{requests: {cpu: 100m}}", nil, "{}", "{requests: {cpu: 100m, memory: 64Mi}}"},
		"a LimitRange for both":          {"{}", []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}, "{}", "{}"},
		"a LimitRange for CPU":           {"{}", []corev1.ResourceName{corev1.ResourceCPU}, "{}", "{requests: {memory: 64Mi}}"},
		"a LimitRange below the request": {"{requests: {cpu: 100m}, limits: {cpu: 50m}}", nil, "{}", "{requests: {cpu: 50m, memory: 64Mi}, limits: {cpu: 50m}}"},
		"requests of the pod":            {"{}", nil, "{requests: {cpu: 5m, memory: 16Mi}}", "{}"},
		"limits of the pod":              {"{limits: {cpu: 500m, memory: 64Mi}}", nil, "{limits: {cpu: 200m, memory: 64Mi}}", "{}"},
		"CPU of the pod":                 {"{limits: {cpu: 500m, memory: 64Mi}}", nil, "{requests: {cpu: 200m}}", "{limits: {memory: 64Mi}}"},
	} {
		for _, inPlace := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in place: %t", name, inPlace), func(t *testing.T) {
				config, ns := testConfig(), testNamespace()
				config.InPlace, config.Settings.Sidecar.Resources, ns.LimitedResources = inPlace, parseResources(t, test.declared), test.limited
				pod := parsePod(t, fmt.Sprintf(`{spec: {resources: %s, containers: [{name: app}]}}`, test.pod))
				injected, err := Mutate(pod, ns, config, testUUID)
				if err != nil {
					t.Fatal(err)
				}
				want := parseResources(t, test.want)
				for _, c := range injected.Spec.InitContainers {
					if !equalLists(want.Requests, c.Resources.Requests) || !equalLists(want.Limits, c.Resources.Limits) {
						t.Errorf("%s has the resources %v, want %v", c.Name, c.Resources, want)
					}
				}
			})
		}
	}
}

func equalLists(a, b corev1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for name, quantity := range a {
		if other, found := b[name]; !found || !quantity.Equal(other) {
			return false
		}
	}
	return true
}

// TestConcurrencyFollowsTheLimit takes the limit of the sidecar, and of the pod if it has one for all containers.
func TestConcurrencyFollowsTheLimit(t *testing.T) {
	for limit, want := range map[string]string{"200m": "1", "3500m": "4"} {
		pod := parsePod(t, `{spec: {resources: {limits: {cpu: `+limit+`}}, containers: [{name: app}]}}`)
		injected, err := Mutate(pod, testNamespace(), testConfig(), testUUID)
		if err != nil {
			t.Fatal(err)
		}
		args := injected.Spec.InitContainers[1].Args
		for i, arg := range args {
			if arg == "--concurrency" && args[i+1] != want {
				t.Errorf("with %s for the pod, Envoy has %s workers, want %s", limit, args[i+1], want)
			}
		}
	}
}

// TestGuaranteedPodsStayGuaranteed injects pods of which all or some containers have equal requests and limits.
func TestGuaranteedPodsStayGuaranteed(t *testing.T) {
	const equal = "{limits: {cpu: 200m, memory: 64Mi}, requests: {cpu: 200m, memory: 64Mi}}"
	for name, test := range map[string]struct {
		app, other, sidecar string
		want                bool
	}{
		"all equal":                 {equal, equal, equal, true},
		"only limits":               {"{limits: {cpu: 200m, memory: 64Mi}}", equal, "{limits: {cpu: 100m, memory: 128Mi}}", true},
		"no limit of the memory":    {"{limits: {cpu: 200m}, requests: {cpu: 200m}}", equal, equal, false},
		"an init container without": {equal, "{}", equal, false},
		"a sidecar without":         {equal, equal, "{}", false},
		"smaller requests":          {"{limits: {cpu: 200m, memory: 64Mi}, requests: {cpu: 100m}}", equal, equal, false},
	} {
		for _, inPlace := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in place: %t", name, inPlace), func(t *testing.T) {
				config := testConfig()
				config.InPlace, config.Settings.Sidecar.Resources = inPlace, parseResources(t, test.sidecar)
				pod := parsePod(t, fmt.Sprintf(`{spec: {initContainers: [{name: migrate, resources: %s}], containers: [{name: app, resources: %s}]}}`, test.other, test.app))
				injected, err := Mutate(pod, testNamespace(), config, testUUID)
				if err != nil {
					t.Fatal(err)
				}
				guaranteed := true
				for c := range containers(injected) {
					guaranteed = guaranteed && isGuaranteed(c.Resources)
				}
				if guaranteed != test.want {
					t.Errorf("guaranteed = %t, want %t", guaranteed, test.want)
				}
			})
		}
	}
}

// isGuaranteed reports whether a container has equal requests and limits of CPU and memory. The API server sets missing requests to the limits.
func isGuaranteed(r corev1.ResourceRequirements) bool {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		limit := r.Limits[name]
		request, requested := r.Requests[name]
		if limit.IsZero() || requested && !request.Equal(limit) {
			return false
		}
	}
	return true
}

// TestAutoscalersSeeTheUtilizationOfTheApplication computes what a HorizontalPodAutoscaler does, with an assumed use of CPU by the
// sidecar: nearly none when idle, and about a tenth of what a busy application uses for its requests.
func TestAutoscalersSeeTheUtilizationOfTheApplication(t *testing.T) {
	sidecar := sidecarResources(&corev1.Pod{}, testNamespace(), corev1.ResourceRequirements{})
	request := sidecar.Requests[corev1.ResourceCPU]
	for _, app := range []string{"50m", "100m", "250m", "500m", "1"} {
		own := resource.MustParse(app)
		for _, utilization := range []float64{0.3, 0.6, 0.9} {
			used := utilization * float64(own.MilliValue())
			outside := replicas(4, utilization)
			inside := replicas(4, (used+2+used/10)/float64(own.MilliValue()+request.MilliValue()))
			if difference := inside - outside; difference < -1 || difference > 1 {
				t.Errorf("an application with %s at %.0f%%: %d replicas in the mesh, %d outside", app, utilization*100, inside, outside)
			}
		}
	}
}

// replicas returns how many replicas an autoscaler with the target 60% wants for a utilization. Its tolerance is 10%.
func replicas(current int, utilization float64) int {
	ratio := utilization / 0.6
	if ratio >= 0.9 && ratio <= 1.1 {
		return current
	}
	return int(float64(current)*ratio + 0.999999)
}

// TestMemoryLimitReachesTheSidecar checks that osm-init gets the memory limit of the container that runs Envoy, and nothing without one.
func TestMemoryLimitReachesTheSidecar(t *testing.T) {
	for name, test := range map[string]struct {
		limits corev1.ResourceList
		want   bool
	}{
		"limited":     {corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi")}, true},
		"of the CPU":  {corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}, false},
		"not limited": {nil, false},
	} {
		env := memoryEnv(corev1.ResourceRequirements{Limits: test.limits})
		if (len(env) > 0) != test.want || test.want && env[0].ValueFrom.ResourceFieldRef.ContainerName != "envoy" {
			t.Errorf("%s: the variables are %+v", name, env)
		}
	}
}
