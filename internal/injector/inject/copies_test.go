package inject

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestThreat32DebugCopies copies injected pods as "kubectl debug --copy-to" does: without labels, with one more container,
// and optionally without probes or init containers. The copy must get its own sidecar, and nothing twice.
func TestThreat32DebugCopies(t *testing.T) {
	for name, test := range map[string]struct {
		original string
		change   func(*corev1.Pod)
	}{
		"unchanged":               {"probes-several", func(*corev1.Pod) {}},
		"without probes":          {"probes-several", withoutProbes},
		"without init containers": {"plain", func(p *corev1.Pod) { p.Spec.InitContainers = nil }},
		"without both":            {"probes-several", func(p *corev1.Pod) { withoutProbes(p); p.Spec.InitContainers = nil }},
		"with hooks":              {"hooks", withoutProbes},
		"without the second slot only": {"plain", func(p *corev1.Pod) {
			p.Spec.InitContainers = slices.DeleteFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == names.StandbyContainer })
		}},
		"without the sidecar only": {"plain", func(p *corev1.Pod) {
			p.Spec.InitContainers = slices.DeleteFunc(p.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == names.SidecarContainer })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, inPlace := range []bool{false, true} {
				expectFreshCopy(t, test.original, inPlace, test.change)
			}
		})
	}
}

// expectFreshCopy copies an injected pod, and checks that the copy equals a pod that never had a sidecar.
func expectFreshCopy(t *testing.T, original string, inPlace bool, change func(*corev1.Pod)) {
	t.Helper()
	config := testConfig()
	config.InPlace = inPlace
	bare := readPod(t, filepath.Join("testdata", original+".in.yaml"))
	injected, err := Mutate(bare, testNamespace(), config, "first")
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range []*corev1.Pod{bare, injected} {
		pod.Name, pod.Labels = "copy", nil
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "debugger", Image: "busybox"})
		change(pod)
	}
	want, err := Mutate(bare, testNamespace(), config, testUUID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Mutate(injected, testNamespace(), config, testUUID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("in place %t: the copy differs from a pod that never had a sidecar (-never +copy):\n%s", inPlace, diff)
	}
}

func withoutProbes(pod *corev1.Pod) {
	for c := range containers(pod) {
		c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = nil, nil, nil
	}
}

// TestThreat32ProbesNotRestorable copies probes that target a sidecar without the record of their originals.
func TestThreat32ProbesNotRestorable(t *testing.T) {
	pod, err := Mutate(readPod(t, filepath.Join("testdata", "probes-single.in.yaml")), testNamespace(), testConfig(), "first")
	if err != nil {
		t.Fatal(err)
	}
	pod.Spec.InitContainers = nil
	if _, err := Mutate(pod, testNamespace(), testConfig(), testUUID); err == nil || !strings.Contains(err.Error(), "create the pod from its own manifest") {
		t.Errorf("error is %v, want one with a remedy", err)
	}
}

// TestThreat32Forged covers pods that pretend to have a sidecar, or contain parts of one.
func TestThreat32Forged(t *testing.T) {
	for name, test := range map[string]struct{ pod, want string }{
		"an application named envoy":    {`{spec: {containers: [{name: app}, {name: envoy}]}}`, "container envoy has a name that is reserved for the mesh"},
		"an application named osm-init": {`{spec: {containers: [{name: osm-init}]}}`, "container osm-init has a name that is reserved for the mesh"},
		"an application named as the second slot": {
			`{spec: {containers: [{name: app}, {name: envoy-standby}]}}`, "container envoy-standby has a name that is reserved for the mesh",
		},
		"an application named as the container that waits": {`{spec: {containers: [{name: osm-wait}]}}`, "container osm-wait has a name that is reserved for the mesh"},
		"the state of the slots": {
			`{spec: {containers: [{name: app, volumeMounts: [{name: envoy-slots, mountPath: /dev/shm}]}], volumes: [{name: envoy-slots, emptyDir: {}}]}}`,
			"mounts the volume envoy-slots",
		},
		"the launcher": {
			`{spec: {initContainers: [{name: evil, volumeMounts: [{name: osm-launcher, mountPath: /bin}]}], containers: [{name: app}]}}`,
			"container evil mounts the volume osm-launcher",
		},
		"the sidecar's token": {`{spec: {containers: [{name: app, volumeMounts: [{name: osm-token}]}]}}`, "mounts the volume osm-token"},
		"the sidecar's bootstrap": {
			`{spec: {initContainers: [{name: evil, volumeMounts: [{name: envoy-bootstrap-config-volume}]}], containers: [{name: app}]}}`,
			"container evil mounts the volume envoy-bootstrap-config-volume",
		},
	} {
		t.Run(name, func(t *testing.T) { expectMutateError(t, test.pod, test.want) })
	}
	// Forged metadata and init containers do not prevent injection, with one sidecar and with two slots.
	for name, pod := range map[string]string{
		"volumes":         `{spec: {containers: [{name: app}], volumes: [{name: osm-token, hostPath: {path: /}}, {name: envoy-bootstrap-config-volume, emptyDir: {}}]}}`,
		"labels":          `{metadata: {labels: {osm-proxy-uuid: someone-else}}, spec: {containers: [{name: app}]}}`,
		"init containers": `{spec: {initContainers: [{name: envoy, image: evil}, {name: osm-init, image: evil, args: ["--config={"]}], containers: [{name: app}]}}`,
		"slots": `{spec: {initContainers: [{name: envoy-standby, image: evil, restartPolicy: Always, volumeMounts: [{name: envoy-slots, mountPath: /dev/shm}]},
			{name: osm-wait, image: evil}], containers: [{name: app}], volumes: [{name: envoy-slots, hostPath: {path: /}}, {name: osm-launcher, hostPath: {path: /bin}}]}}`,
		"the same twice":   `{spec: {initContainers: [{name: envoy}, {name: envoy}], containers: [{name: app}]}}`,
		"status of a copy": `{metadata: {annotations: {openservicemesh.io/injected: "true"}}, spec: {containers: [{name: app}]}, status: {phase: Running}}`,
	} {
		for _, inPlace := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in place: %t", name, inPlace), func(t *testing.T) { expectUnforged(t, pod, inPlace) })
		}
	}
}

// expectUnforged checks that nothing of a forged pod remains besides the application.
func expectUnforged(t *testing.T, pod string, inPlace bool) {
	t.Helper()
	config := testConfig()
	config.InPlace = inPlace
	injected, err := Mutate(parsePod(t, pod), testNamespace(), config, testUUID)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Mutate(parsePod(t, `{spec: {containers: [{name: app}]}}`), testNamespace(), config, testUUID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Spec, injected.Spec); diff != "" || injected.Labels[names.ProxyUUIDLabel] != testUUID {
		t.Errorf("the forged parts remain in the pod with labels %v (-want +got):\n%s", injected.Labels, diff)
	}
}

// TestThreat24EphemeralContainers rejects the sidecar's user for containers that are added to running pods.
func TestThreat24EphemeralContainers(t *testing.T) {
	err := ValidateEphemeral(parsePod(t, `{spec: {containers: [{name: app}], ephemeralContainers: [{name: debug, securityContext: {runAsUser: 1500}}]}}`))
	if err == nil || !strings.Contains(err.Error(), "container debug runs as user 1500") {
		t.Errorf("error is %v, want one about the user", err)
	}
	if err := ValidateEphemeral(parsePod(t, `{spec: {containers: [{name: app}], ephemeralContainers: [{name: debug}]}}`)); err != nil {
		t.Errorf("rejected: %v", err)
	}
}

// TestThreat32EphemeralContainers checks that permission to debug a pod does not expose its sidecar's identity.
func TestThreat32EphemeralContainers(t *testing.T) {
	err := ValidateEphemeral(parsePod(t, `{spec: {containers: [{name: app}], ephemeralContainers: [{name: debug, volumeMounts: [{name: osm-token}]}]}}`))
	if err == nil || !strings.Contains(err.Error(), "container debug mounts the volume osm-token") {
		t.Errorf("error is %v, want one about the mount", err)
	}
	for _, name := range []string{names.SidecarContainer, names.StandbyContainer, names.InitContainer, names.WaitContainer} {
		err := ValidateEphemeral(parsePod(t, `{spec: {containers: [{name: app}], ephemeralContainers: [{name: `+name+`}]}}`))
		if err == nil || !strings.Contains(err.Error(), "container "+name+" has a name that is reserved for the mesh") {
			t.Errorf("error is %v, want one about the name %s", err, name)
		}
	}
	for _, volume := range []string{names.SlotsVolume, names.LauncherVolume} {
		err := ValidateEphemeral(parsePod(t, `{spec: {containers: [{name: app}], ephemeralContainers: [{name: debug, volumeMounts: [{name: `+volume+`}]}]}}`))
		if err == nil || !strings.Contains(err.Error(), "mounts the volume "+volume) {
			t.Errorf("error is %v, want one about the mount of %s", err, volume)
		}
	}
	got := WarnEphemeral(parsePod(t, `{spec: {containers: [{name: app}], ephemeralContainers: [{name: debug, securityContext: {privileged: true}}, {name: shell}]}}`))
	if len(got) != 1 || !strings.Contains(got[0], "container debug can change the pod's network") {
		t.Errorf("warnings are %q, want one about debug", got)
	}
	for _, target := range []string{names.SidecarContainer, names.StandbyContainer} {
		got := WarnEphemeral(parsePod(t, `{spec: {containers: [{name: app}], ephemeralContainers: [{name: debug, targetContainerName: `+target+`}, {name: shell, targetContainerName: app}]}}`))
		if len(got) != 1 || !strings.Contains(got[0], "container debug shares the processes of "+target) {
			t.Errorf("warnings are %q, want one about the processes of %s", got, target)
		}
	}
}
