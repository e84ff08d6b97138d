package inject

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
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

// TestEagerDestinations checks that the lists of the pod and of its namespace are combined, and recorded for sidecars that load the rest on demand.
func TestEagerDestinations(t *testing.T) {
	config, ns, pod := testConfig(), testNamespace(), parsePod(t, `{spec: {containers: [{name: app}]}}`)
	config.Reach = Reach{HasServiceRanges: true}
	pod.Annotations = map[string]string{names.EagerDestinationsAnnotation: "web, infra/auth"}
	ns.Annotations[names.EagerDestinationsAnnotation] = "infra/auth,infra/audit"
	env := func() []corev1.EnvVar {
		injected, err := Mutate(pod, ns, config, testUUID)
		if err != nil {
			t.Fatal(err)
		}
		return injected.Spec.InitContainers[1].Env
	}
	isList := func(e corev1.EnvVar) bool { return e.Name == "OSM_EAGER_DESTINATIONS" }
	if slices.ContainsFunc(env(), isList) {
		t.Error("an eager sidecar has a list of eager destinations")
	}
	config.Settings.Sidecar.Destinations = configv1alpha2.DestinationsOnDemand
	if i := slices.IndexFunc(env(), isList); i < 0 || env()[i].Value != "infra/audit,infra/auth,shop/web" {
		t.Errorf("the sidecar has the environment %v, want the Services of both lists", env())
	}
	pod.Annotations, ns.Annotations = nil, testNamespace().Annotations
	if slices.ContainsFunc(env(), isList) {
		t.Error("without annotations, the sidecar has a list of eager destinations")
	}
}

// TestInvalidEagerDestinations checks that a list which the control plane would ignore is rejected, also for eager sidecars.
func TestInvalidEagerDestinations(t *testing.T) {
	many := func(namespace string) string {
		var list []string
		for i := range ingest.MaxEagerDestinations {
			list = append(list, namespace+"/s"+strconv.Itoa(i))
		}
		return strings.Join(list, ",")
	}
	for want, c := range map[string]struct{ pod, namespace string }{
		`sidecar-eager-destinations of the pod: "infra/Auth" is not a Service: write NAMESPACE/NAME`:                     {"infra/Auth", ""},
		`sidecar-eager-destinations of the namespace shop: "" is not a Service`:                                          {"", "web,"},
		`sidecar-eager-destinations of the pod: 33 Services are listed, and the maximum is 32`:                           {many("a") + ",a/more", ""},
		`sidecar-eager-destinations of the pod and of the namespace shop: 64 Services are listed, and the maximum is 32`: {many("a"), many("b")},
		`sidecar-eager-destinations of the namespace shop: "b/c/d" is not a Service`:                                     {"", "b/c/d"},
	} {
		pod, ns := parsePod(t, `{spec: {containers: [{name: app}]}}`), testNamespace()
		pod.Annotations = map[string]string{names.EagerDestinationsAnnotation: c.pod}
		ns.Annotations[names.EagerDestinationsAnnotation] = c.namespace
		if _, err := Mutate(pod, ns, testConfig(), testUUID); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

// TestNumbersOfServicesAreDocumented compares numbers with the descriptions of the fields.
func TestNumbersOfServicesAreDocumented(t *testing.T) {
	auto, eager := "more than "+strconv.Itoa(AutoServices)+" Services", "at most "+strconv.Itoa(ingest.MaxEagerDestinations)+" Services"
	for file, texts := range map[string][]string{"docs/reference/mesh.md": {auto}, "docs/reference/meshconfig.md": {auto}, "docs/mesh.md": {auto, eager}} {
		page, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if !strings.Contains(string(page), text) {
				t.Errorf("%s does not have %q", file, text)
			}
		}
	}
}
