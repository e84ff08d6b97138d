package inject

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func gatewayConfig() GatewayConfig {
	return GatewayConfig{
		Mesh: "osm", Namespace: "osm-system", TrustDomain: "cluster.local", Name: "gateway", ServiceAccount: "gateway-account",
		EnvoyImage: "envoy:1", InitImage: "init:1", Listeners: []string{"http", "https"},
	}
}

// gatewayContainers returns the containers of a gateway by their names.
func gatewayContainers(t *testing.T, c GatewayConfig) (corev1.PodSpec, map[string]corev1.Container) {
	t.Helper()
	pod, err := GatewayPod(c)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]corev1.Container{}
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		found[container.Name] = container
	}
	return pod, found
}

// TestGatewayPod checks what a gateway has that a sidecar lacks, and the reverse.
func TestGatewayPod(t *testing.T) {
	pod, containers := gatewayContainers(t, gatewayConfig())
	envoy := containers[names.SidecarContainer]
	if probe := envoy.ReadinessProbe; probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != bootstrap.ReadyPath || probe.HTTPGet.Port.IntValue() != names.ReadyPort {
		t.Errorf("the readiness probe of Envoy is %+v", envoy.ReadinessProbe)
	}
	if len(envoy.Ports) > 0 {
		t.Errorf("Envoy declares the ports %+v, which the Service of the gateway has", envoy.Ports)
	}
	var volumes []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
	}
	if want := []string{names.BootstrapVolume, names.TokenVolume, names.TrustVolume}; !slices.Equal(volumes, want) {
		t.Errorf("the volumes are %v, want %v", volumes, want)
	}
}

// TestGatewayLimits checks that osm-init gets the listeners and a limit of memory, and the container that drains gets a delay, as far as they are set.
func TestGatewayLimits(t *testing.T) {
	env := func(c corev1.Container) string {
		var list []string
		for _, e := range c.Env {
			if strings.Contains(e.Name, "GATEWAY") {
				list = append(list, e.Name+"="+e.Value)
			}
		}
		return strings.Join(list, " ")
	}
	limited := gatewayConfig()
	limited.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")}
	limited.DrainDelay = 7 * time.Second
	for name, test := range map[string]struct {
		config      GatewayConfig
		init, drain string
	}{
		"without limits": {gatewayConfig(), names.GatewayListenersEnv + "=http,https", ""},
		"with limits": {
			limited, names.GatewayListenersEnv + "=http,https " + names.GatewayMemoryEnv + "=1048576", names.GatewayDrainDelayEnv + "=7s",
		},
	} {
		_, containers := gatewayContainers(t, test.config)
		if got := env(containers[names.InitContainer]); got != test.init {
			t.Errorf("%s: osm-init has %q, want %q", name, got, test.init)
		}
		if got := env(containers[DrainCommand]); got != test.drain {
			t.Errorf("%s: the container that drains has %q, want %q", name, got, test.drain)
		}
	}
}

// TestBothImagesAreRequired has settings without one of the images.
func TestBothImagesAreRequired(t *testing.T) {
	for _, c := range []Config{{EnvoyImage: "envoy:1"}, {InitImage: "init:1"}, {}} {
		if _, _, err := c.images(); err == nil || !strings.Contains(err.Error(), "set spec.sidecar.envoyImage") {
			t.Errorf("with the images %q and %q the error is %v", c.EnvoyImage, c.InitImage, err)
		}
	}
	if envoy, init, err := (Config{EnvoyImage: "envoy:1", InitImage: "init:1"}).images(); err != nil || envoy != "envoy:1" || init != "init:1" {
		t.Errorf("the images are %q and %q, %v", envoy, init, err)
	}
}
