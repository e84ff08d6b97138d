package leftovers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// tenant is a small permissive mesh with a namespace that has a client and a server.
type tenant struct {
	name, shop     string
	client, server *lab.Agent
}

func (p tenant) controlPlaneNamespace() string { return p.name + "-system" }

func (p tenant) url() string {
	return fmt.Sprintf("http://%s:%d/", names.ServiceHost("server", p.shop), lab.HTTPPort)
}

// TestMeshesAreIsolated checks that a workload belongs only to its own mesh. Both meshes are permissive and have the
// same trust domain.
func TestMeshesAreIsolated(t *testing.T) {
	one, two := newTenant(t, "first"), newTenant(t, "second")
	for _, p := range []tenant{one, two} {
		assertAnswered(t, "a request within a mesh succeeds", p.client, p.url(), true)
	}
	assertAnswered(t, "a request from the first mesh to the second fails", one.client, two.url(), false)
	assertAnswered(t, "a request from the second mesh to the first fails", two.client, one.url(), false)
	assertTokensRejected(t, one, two)

	load, err := two.client.StartRequests(t.Context(), two.url(), "--rate", "20")
	lab.Must(t, err)
	lab.Must(t, cluster.DeleteNamespace(t.Context(), one.shop))
	lab.Must(t, deleteMesh(t.Context(), one.name))
	assertAnswered(t, "new connections in the remaining mesh succeed", two.client, two.url(), true)
	result, err := load.Stop(t.Context())
	lab.Must(t, err)
	if failed := result.Requests - result.Outcomes["200"]; failed > 0 || result.Requests == 0 {
		t.Errorf("%d of %d requests of the other mesh failed while this one was removed: %v %v", failed, result.Requests, result.Outcomes, result.Errors)
	}
	t.Logf("%d requests while the other mesh was removed, none failed", result.Requests)
}

func newTenant(t *testing.T, name string) tenant {
	t.Helper()
	ctx := t.Context()
	p := tenant{name: name, shop: name + "-shop"}
	clean := func(ctx context.Context) error {
		return errors.Join(cluster.DeleteNamespace(ctx, p.shop), deleteMesh(ctx, p.name))
	}
	lab.Must(t, clean(ctx))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(cluster.Describe(ctx, p.shop), cluster.ControlPlaneLogs(ctx, p.controlPlaneNamespace()))
		}
		if err := clean(ctx); err != nil {
			t.Error(err)
		}
	})
	lab.Must(t, cluster.Put(ctx, fmt.Sprintf(`{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: %[1]s},
spec: {namespace: %[1]s-system, controlPlane: {controller: {replicas: 1}, injector: {replicas: 1}}, traffic: {permissive: true, egress: false}}}`, name)))
	lab.Must(t, cluster.MeshReady(ctx, name, installLimit))
	lab.Must(t, cluster.CreateNamespace(ctx, p.shop, name))
	createPod := func(pod string) *lab.Agent {
		account, object := cluster.TestPod(p.shop, pod)
		object.Spec.Volumes = tokenVolumes()
		object.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "tokens", MountPath: "/tokens"}}
		lab.Must(t, cluster.Create(ctx, account, lab.TestService(p.shop, pod), object))
		return cluster.Agent(ctx, p.shop, pod, lab.AgentPort)
	}
	p.client, p.server = createPod("client"), createPod("server")
	lab.Must(t, cluster.PodsReady(ctx, podLimit, p.shop))
	return p
}

// tokenVolumes is a volume with a token for each mesh, in files named like the mesh.
func tokenVolumes() []corev1.Volume {
	source := &corev1.ProjectedVolumeSource{}
	for _, mesh := range []string{"first", "second"} {
		source.Sources = append(source.Sources, corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: names.TokenAudience(mesh, mesh+"-system"), ExpirationSeconds: ptr.To[int64](3600), Path: mesh,
		}})
	}
	return []corev1.Volume{{Name: "tokens", VolumeSource: corev1.VolumeSource{Projected: source}}}
}

// assertTokensRejected checks that the second control plane rejects a workload of the first mesh: with its own token, and with one
// for that control plane.
func assertTokensRejected(t *testing.T, one, two tenant) {
	t.Helper()
	// The pod has no sidecar: application traffic would be redirected, and the sidecar has no route to another mesh's
	// control plane.
	account, outside := cluster.TestPod(one.shop, "plain")
	outside.Annotations = map[string]string{names.InjectionAnnotation: "disabled"}
	outside.Spec.Volumes = tokenVolumes()
	outside.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "tokens", MountPath: "/tokens"}}
	lab.Must(t, cluster.Create(t.Context(), account, outside))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, one.shop))
	agent := cluster.Agent(t.Context(), one.shop, "plain", lab.AgentPort)
	server := fmt.Sprintf("%s.%s.svc.cluster.local:%d", names.Controller, two.controlPlaneNamespace(), names.ADSPort)
	for token, want := range map[string]string{one.name: "Unauthenticated", two.name: "PermissionDenied"} {
		got, err := agent.Stream(t.Context(), server, "--node", "x.sidecar.plain."+one.shop+".cluster.local", "--token-file", "/tokens/"+token)
		lab.Must(t, err)
		t.Logf("token for the mesh %s: %s %s", token, got.Code, got.Message)
		if got.Code != want || got.Resources > 0 {
			t.Errorf("the control plane of %s returned for a token of %s: %s and %d resources, want %s", two.name, token, got.Code, got.Resources, want)
		}
	}
}

// assertAnswered sends requests until all of them succeed, or none.
func assertAnswered(t *testing.T, what string, client *lab.Agent, url string, want bool) {
	t.Helper()
	eventually(t, what, func(ctx context.Context) (bool, string, error) {
		got, err := client.Requests(ctx, url, "--count", "5", "--timeout", "2s")
		if err != nil {
			return false, "", err
		}
		expected := 0
		if want {
			expected = 5
		}
		return got.Outcomes["200"] == expected, fmt.Sprint(got.Outcomes, got.Errors), nil
	})
}
