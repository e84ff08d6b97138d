package adoption

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// party is a small permissive mesh with a namespace in which a client and a server live.
type party struct {
	name, shop     string
	client, server *lab.Agent
}

func (p party) home() string { return p.name + "-system" }

func (p party) url() string {
	return fmt.Sprintf("http://%s:%d/", names.ServiceHost("server", p.shop), lab.HTTPPort)
}

// TestTwoMeshesLiveBesideEachOther holds that a workload is a member of its own mesh alone, although both meshes let all of their own
// workloads do everything, and have the same trust domain.
func TestTwoMeshesLiveBesideEachOther(t *testing.T) {
	one, two := newParty(t, "first"), newParty(t, "second")
	for _, p := range []party{one, two} {
		answered(t, "a member is answered", p.client, p.url(), true)
	}
	answered(t, "a workload of the one is no member of the other", one.client, two.url(), false)
	answered(t, "nor the other way round", two.client, one.url(), false)
	refused(t, one, two)

	load, err := two.client.StartRequests(t.Context(), two.url(), "--rate", "20")
	must(t, err)
	must(t, cluster.DeleteNamespace(t.Context(), one.shop))
	must(t, meshGone(t.Context(), one.name))
	answered(t, "new connections of the mesh that is left", two.client, two.url(), true)
	result, err := load.Stop(t.Context())
	must(t, err)
	if failed := result.Requests - result.Outcomes["200"]; failed > 0 || result.Requests == 0 {
		t.Errorf("%d of %d requests of the other mesh failed while this one was removed: %v %v", failed, result.Requests, result.Outcomes, result.Errors)
	}
	t.Logf("%d requests while the other mesh was removed, none failed", result.Requests)
}

func newParty(t *testing.T, name string) party {
	t.Helper()
	ctx := t.Context()
	p := party{name: name, shop: name + "-shop"}
	clean := func(ctx context.Context) error {
		return errors.Join(cluster.DeleteNamespace(ctx, p.shop), meshGone(ctx, p.name))
	}
	must(t, clean(ctx))
	_, err := cluster.HasNamespace(ctx, effectLimit, p.shop)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() {
			t.Log(cluster.Describe(ctx, p.shop), cluster.ControlPlaneLogs(ctx, p.home()))
		}
		if err := clean(ctx); err != nil {
			t.Error(err)
		}
	})
	must(t, cluster.Put(ctx, fmt.Sprintf(`{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: %[1]s},
spec: {namespace: %[1]s-system, controlPlane: {replicas: 1}, traffic: {permissive: true, egress: false}}}`, name)))
	must(t, cluster.MeshReady(ctx, name, installLimit))
	must(t, cluster.CreateNamespace(ctx, p.shop, name))
	meet := func(pod string) *lab.Agent {
		account, object := cluster.TestPod(p.shop, pod)
		object.Spec.Volumes = tokens()
		object.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "tokens", MountPath: "/tokens"}}
		must(t, cluster.Create(ctx, account, lab.TestService(p.shop, pod), object))
		return cluster.Agent(ctx, p.shop, pod, lab.AgentPort)
	}
	p.client, p.server = meet("client"), meet("server")
	must(t, cluster.PodsReady(ctx, podLimit, p.shop))
	return p
}

// tokens are those that sidecars of either mesh show, in files named like the mesh.
func tokens() []corev1.Volume {
	source := &corev1.ProjectedVolumeSource{}
	for _, mesh := range []string{"first", "second"} {
		source.Sources = append(source.Sources, corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: names.TokenAudience(mesh, mesh+"-system"), ExpirationSeconds: ptr.To[int64](3600), Path: mesh,
		}})
	}
	return []corev1.Volume{{Name: "tokens", VolumeSource: corev1.VolumeSource{Projected: source}}}
}

// refused shows the second control plane what a workload of the first mesh has: its own token, and one made for that control plane.
func refused(t *testing.T, one, two party) {
	t.Helper()
	// The application's own traffic would be redirected, and the sidecar knows no control plane of another mesh.
	account, outside := cluster.TestPod(one.shop, "plain")
	outside.Annotations = map[string]string{names.InjectionAnnotation: "disabled"}
	outside.Spec.Volumes = tokens()
	outside.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "tokens", MountPath: "/tokens"}}
	must(t, cluster.Create(t.Context(), account, outside))
	must(t, cluster.PodsReady(t.Context(), podLimit, one.shop))
	agent := cluster.Agent(t.Context(), one.shop, "plain", lab.AgentPort)
	server := fmt.Sprintf("%s.%s.svc.cluster.local:%d", names.Controller, two.home(), names.ADSPort)
	for token, want := range map[string]string{one.name: "Unauthenticated", two.name: "PermissionDenied"} {
		got, err := agent.Stream(t.Context(), server, "--node", "x.sidecar.plain."+one.shop+".cluster.local", "--token-file", "/tokens/"+token)
		must(t, err)
		t.Logf("token for the mesh %s: %s %s", token, got.Code, got.Message)
		if got.Code != want || got.Resources > 0 {
			t.Errorf("the control plane of %s answers a token for %s with %s and %d resources, want %s", two.name, token, got.Code, got.Resources, want)
		}
	}
}

// answered asks until all requests are answered, or none is.
func answered(t *testing.T, what string, client *lab.Agent, url string, want bool) {
	t.Helper()
	eventually(t, what, func(ctx context.Context) (bool, string, error) {
		got, err := client.Requests(ctx, url, "--count", "5", "--timeout", "2s")
		if err != nil {
			return false, "", err
		}
		wanted := 0
		if want {
			wanted = 5
		}
		return got.Outcomes["200"] == wanted, fmt.Sprint(got.Outcomes, got.Errors), nil
	})
}
