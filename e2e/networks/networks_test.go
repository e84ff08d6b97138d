package networks

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// TestServicesTranslatedAtConnect replaces addresses of Services when processes connect. Pods without a sidecar do not notice it. A pod with a sidecar does not
// start, because its sidecar would see no Service, and says which setting of the network to change. Once that has changed the pod starts by itself.
func TestServicesTranslatedAtConnect(t *testing.T) {
	requireLocal(t)
	const inside, outside, server, caller = "translated", "translated-outside", "server", "caller"
	for namespace, mesh := range map[string]string{inside: names.DefaultMesh, outside: ""} {
		lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, mesh))
		t.Cleanup(func() { lab.Must(t, cluster.DeleteNamespace(context.WithoutCancel(t.Context()), namespace)) })
	}
	for _, name := range []string{server, caller} {
		account, pod := cluster.TestPod(outside, name)
		lab.Must(t, cluster.Create(t.Context(), account, pod, lab.TestService(outside, name)))
	}
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, outside))
	cluster.Record(t, "addresses of Services replaced at connect, as Cilium does at sockets: pods with a sidecar say which setting to change")

	end := translateAtConnect(t)
	url := fmt.Sprintf("http://%s.%s:%d/", server, outside, lab.HTTPPort)
	_, err := cluster.Agent(t.Context(), outside, caller, lab.AgentPort).AwaitOutcome(t.Context(), podLimit, url, "200")
	lab.Must(t, err)
	account, pod := cluster.TestPod(inside, server)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Eventually(t, podLimit, "the pod says what is wrong", func(ctx context.Context) (bool, string, error) {
		text, err := initLog(ctx, inside, server)
		return strings.Contains(text, "arrives as one to") && strings.Contains(text, "socketLB.hostNamespaceOnly"), text, err
	})
	var stored corev1.Pod
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), &stored))
	if lab.IsReady(&stored) {
		t.Error("the pod is ready")
	}
	end()
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, inside))
}
