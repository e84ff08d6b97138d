package journeys

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const tokenDir = "/tokens"

// tokenVolume projects a token for each audience into a file with the key as its name. An empty audience is the API
// server's.
func tokenVolume(audiences map[string]string) corev1.Volume {
	seconds := int64(3600)
	projected := &corev1.ProjectedVolumeSource{}
	for file, audience := range audiences {
		projected.Sources = append(projected.Sources, corev1.VolumeProjection{
			ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, ExpirationSeconds: &seconds, Path: file},
		})
	}
	return corev1.Volume{Name: "tokens", VolumeSource: corev1.VolumeSource{Projected: projected}}
}

// createIntruder creates a pod without a sidecar in a monitored namespace, with its own tokens.
func createIntruder(t *testing.T) workload {
	t.Helper()
	ns := meshNamespace(t, "intruder")
	account, pod := cluster.TestPod(ns, "intruder")
	pod.Annotations = map[string]string{names.InjectionAnnotation: "disabled"}
	pod.Spec.Volumes = []corev1.Volume{tokenVolume(map[string]string{
		"right": names.TokenAudience(names.DefaultMesh, names.DefaultNamespace), "other": "somebody.else", "api": "",
	})}
	pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "tokens", MountPath: tokenDir}}
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, ns))
	return workload{cluster.Agent(t.Context(), ns, "intruder", lab.AgentPort), ns, "intruder"}
}

func TestControlPlaneRejectsClientsWithoutSidecarToken(t *testing.T) {
	t.Parallel()
	who := createIntruder(t)
	server := fmt.Sprintf("%s.%s.svc.cluster.local:%d", names.Controller, names.DefaultNamespace, names.ADSPort)
	victim := fmt.Sprintf("x.sidecar.%s.%s.%s", "server", "somewhere", names.DefaultTrustDomain)
	for _, c := range []struct{ name, token, want string }{
		{"no token", "", "Unauthenticated"},
		{"token for the API server", "api", "Unauthenticated"},
		{"token for another audience", "other", "Unauthenticated"},
		{"right audience, but no sidecar in the pod", "right", "PermissionDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"--node", victim}
			if c.token != "" {
				args = append(args, "--token-file", tokenDir+"/"+c.token)
			}
			result, err := who.Stream(t.Context(), server, args...)
			lab.Must(t, err)
			t.Logf("%s: %s", result.Code, result.Message)
			if result.Code != c.want || result.Message == "" || result.Resources > 0 {
				t.Errorf("the control plane returned %s %q and %d resources, want %s and a reason", result.Code, result.Message, result.Resources, c.want)
			}
		})
	}
}
