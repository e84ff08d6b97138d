package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestPodOnDemand checks that only the environment of the sidecar decides how it loads its destinations, and that the cache keeps nothing else of it.
func TestPodOnDemand(t *testing.T) {
	for name, c := range map[string]struct {
		spec string
		want bool
	}{
		"on demand":                {"{initContainers: [{name: envoy, restartPolicy: Always, env: [{name: A, value: b}, {name: OSM_DESTINATIONS, value: OnDemand}]}], containers: []}", true},
		"without the variable":     {"{initContainers: [{name: envoy, restartPolicy: Always, env: [{name: A, value: OnDemand}]}], containers: []}", false},
		"another value":            {"{initContainers: [{name: envoy, restartPolicy: Always, env: [{name: OSM_DESTINATIONS, value: Eager}]}], containers: []}", false},
		"of another container":     {"{initContainers: [{name: envoy, restartPolicy: Always}], containers: [{name: app, env: [{name: OSM_DESTINATIONS, value: OnDemand}], ports: [{name: a}]}]}", false},
		"of a container that ends": {"{initContainers: [{name: envoy, env: [{name: OSM_DESTINATIONS, value: OnDemand}]}], containers: []}", false},
	} {
		pod := read[corev1.Pod](t, "spec: "+c.spec)
		for _, read := range []*corev1.Pod{pod, StripPod(pod)} {
			if got := Pod(read).OnDemand; got != c.want {
				t.Errorf("%s: on demand is %t, want %t", name, got, c.want)
			}
		}
		for _, container := range slices.Concat(StripPod(pod).Spec.InitContainers, StripPod(pod).Spec.Containers) {
			if slices.ContainsFunc(container.Env, func(e corev1.EnvVar) bool {
				return e.Name != names.DestinationsEnv || container.Name != names.SidecarContainer
			}) {
				t.Errorf("%s: the cache keeps the environment %v of %s", name, container.Env, container.Name)
			}
		}
	}
}

// TestPodEagerDestinations checks that a list has one form, whoever wrote it, and that what no injector writes is ignored.
func TestPodEagerDestinations(t *testing.T) {
	const onDemand = "{name: OSM_DESTINATIONS, value: OnDemand}"
	var many []string
	for i := range MaxEagerDestinations + 1 {
		many = append(many, fmt.Sprint("s", i))
	}
	for name, c := range map[string]struct{ env, want string }{
		"two Services":          {onDemand + ", {name: OSM_EAGER_DESTINATIONS, value: 'infra/auth,shop/web'}", "infra/auth,shop/web"},
		"not sorted":            {"{name: OSM_EAGER_DESTINATIONS, value: ' web,infra/auth, web'}, " + onDemand, "infra/auth,shop/web"},
		"no list":               {onDemand, ""},
		"an empty list":         {onDemand + ", {name: OSM_EAGER_DESTINATIONS, value: ' '}", ""},
		"an eager sidecar":      {"{name: OSM_EAGER_DESTINATIONS, value: infra/auth}", ""},
		"no Service":            {onDemand + ", {name: OSM_EAGER_DESTINATIONS, value: 'infra/auth,a/b/c'}", ""},
		"more than the maximum": {onDemand + ", {name: OSM_EAGER_DESTINATIONS, value: '" + strings.Join(many, ",") + "'}", ""},
	} {
		pod := read[corev1.Pod](t, "spec: {initContainers: [{name: envoy, restartPolicy: Always, env: ["+c.env+"]}], containers: []}")
		for _, read := range []*corev1.Pod{pod, StripPod(pod)} {
			if got := Pod(read).EagerDestinations; got != c.want {
				t.Errorf("%s: the eager destinations are %q, want %q", name, got, c.want)
			}
		}
	}
}

// TestEagerDestinations checks which lists are valid.
func TestEagerDestinations(t *testing.T) {
	var most []string
	for i := range MaxEagerDestinations {
		most = append(most, fmt.Sprint("s", i))
	}
	for list, want := range map[string]struct {
		services int
		problem  string
	}{
		"":                              {0, ""},
		" ":                             {0, ""},
		"web,infra/auth,shop/web":       {2, ""},
		strings.Join(most, ","):         {MaxEagerDestinations, ""},
		strings.Join(most, ",") + ",a":  {0, "33 Services are listed, and the maximum is 32"},
		strings.Join(most, ",") + ",s1": {MaxEagerDestinations, ""},
		"web,a/b/c":                     {0, `"a/b/c" is not a Service`},
		"web,":                          {0, `"" is not a Service`},
	} {
		services, err := EagerDestinations(list, "shop")
		if len(services) != want.services || (err == nil) != (want.problem == "") || err != nil && !strings.Contains(err.Error(), want.problem) {
			t.Errorf("%.40q: %d Services and the error %v, want %d and %q", list, len(services), err, want.services, want.problem)
		}
	}
}
