package inject

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// onDemand is the variable of a sidecar that loads its destinations at first use.
var onDemand = corev1.EnvVar{Name: "OSM_DESTINATIONS", Value: "OnDemand"}

// TestDestinations checks what decides when a sidecar loads its destinations: the pod before its namespace, and both before the settings.
func TestDestinations(t *testing.T) {
	many, few := Reach{HasServiceRanges: true, PermissiveServices: AutoServices + 1}, Reach{HasServiceRanges: true, PermissiveServices: AutoServices}
	for name, c := range map[string]struct {
		pod, namespace string
		settings       configv1alpha2.SidecarSpec
		reach          Reach
		want           bool
	}{
		"default":                           {"", "", configv1alpha2.SidecarSpec{}, many, false},
		"the settings":                      {"", "", configv1alpha2.SidecarSpec{Destinations: "OnDemand"}, few, true},
		"the settings, Eager":               {"", "", configv1alpha2.SidecarSpec{Destinations: "Eager"}, many, false},
		"many Services":                     {"", "", configv1alpha2.SidecarSpec{Destinations: "Auto"}, many, true},
		"few Services":                      {"", "", configv1alpha2.SidecarSpec{Destinations: "Auto"}, few, false},
		"a pod that opts in":                {"OnDemand", "", configv1alpha2.SidecarSpec{}, few, true},
		"a pod that opts out":               {"Eager", "", configv1alpha2.SidecarSpec{Destinations: "OnDemand"}, many, false},
		"a namespace that opts in":          {"", " ondemand ", configv1alpha2.SidecarSpec{}, few, true},
		"a namespace that opts out":         {"", "eager", configv1alpha2.SidecarSpec{Destinations: "Auto"}, many, false},
		"a pod against its namespace":       {"Eager", "OnDemand", configv1alpha2.SidecarSpec{}, many, false},
		"another Envoy":                     {"", "", configv1alpha2.SidecarSpec{Destinations: "OnDemand", EnvoyImage: "registry/envoy:2"}, many, false},
		"another Envoy, by annotation":      {"OnDemand", "", configv1alpha2.SidecarSpec{EnvoyImage: "registry/envoy:2"}, many, true},
		"the Envoy of the version":          {"", "", configv1alpha2.SidecarSpec{Destinations: "OnDemand", EnvoyImage: testConfig().EnvoyImage}, many, true},
		"without ranges":                    {"", "", configv1alpha2.SidecarSpec{Destinations: "OnDemand"}, Reach{PermissiveServices: AutoServices + 1}, false},
		"without ranges, by annotation":     {"OnDemand", "", configv1alpha2.SidecarSpec{}, Reach{}, false},
		"another Envoy and another opt-out": {"", "Eager", configv1alpha2.SidecarSpec{EnvoyImage: "registry/envoy:2"}, many, false},
	} {
		t.Run(name, func(t *testing.T) {
			config, ns, pod := testConfig(), testNamespace(), parsePod(t, `{spec: {containers: [{name: app}]}}`)
			config.Settings.Sidecar, config.Reach = c.settings, c.reach
			if c.pod != "" {
				pod.Annotations = map[string]string{names.DestinationsAnnotation: c.pod}
			}
			if c.namespace != "" {
				ns.Annotations[names.DestinationsAnnotation] = c.namespace
			}
			injected, err := Mutate(pod, ns, config, testUUID)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Contains(injected.Spec.InitContainers[1].Env, onDemand); got != c.want {
				t.Errorf("the sidecar loads on demand: %t, want %t", got, c.want)
			}
			if slices.Contains(injected.Spec.InitContainers[0].Env, onDemand) {
				t.Error("osm-init has the variable of the sidecar")
			}
			ineffective := strings.Contains(strings.Join(Warnings(pod, ns, config), "\n"), "has no effect, because the cluster has no ServiceCIDRs")
			if want := c.pod == "OnDemand" && !c.reach.HasServiceRanges; ineffective != want {
				t.Errorf("a warning says that the annotation has no effect: %t, want %t", ineffective, want)
			}
			again, err := Mutate(injected, testNamespace(), testConfig(), testUUID)
			if err != nil {
				t.Fatal(err)
			}
			if c.pod == "" && slices.Contains(again.Spec.InitContainers[1].Env, onDemand) {
				t.Error("a copy of the pod keeps the choice for the original")
			}
		})
	}
}

// TestInvalidDestinations checks the messages for values that no annotation can have.
func TestInvalidDestinations(t *testing.T) {
	for value, c := range map[string]struct{ pod, namespace map[string]string }{
		`of the pod is "Auto": use Eager or OnDemand`:            {pod: map[string]string{names.DestinationsAnnotation: "Auto"}},
		`of the pod is "": use Eager or OnDemand`:                {pod: map[string]string{names.DestinationsAnnotation: ""}},
		`of the namespace shop is "lazy": use Eager or OnDemand`: {namespace: map[string]string{names.DestinationsAnnotation: "lazy"}},
	} {
		pod := parsePod(t, `{spec: {containers: [{name: app}]}}`)
		pod.Annotations = c.pod
		ns := testNamespace()
		ns.Annotations = c.namespace
		if _, err := Mutate(pod, ns, testConfig(), testUUID); err == nil || !strings.Contains(err.Error(), value) {
			t.Errorf("the error is %v, want %q", err, value)
		}
	}
}

// TestAutoServicesIsDocumented compares the number with the descriptions of the fields.
func TestAutoServicesIsDocumented(t *testing.T) {
	want := "more than " + strconv.Itoa(AutoServices) + " Services"
	for _, file := range []string{"docs/reference/mesh.md", "docs/reference/meshconfig.md", "docs/mesh.md"} {
		text, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not have %q", file, want)
		}
	}
}
