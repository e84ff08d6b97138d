package journeys

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/cli"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// A pod whose restarts are counted, like those of Jobs, has one slot where others have two. Its first request succeeds, the sidecar ends after the application, and
// the Job completes.
func TestJobHasOneSlotAndCompletes(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	ns := createNamespace(t, "slotjob", names.DefaultMesh)
	pod := runWorker(t, s, ns, 0, func(pod *corev1.Pod) *corev1.Pod {
		slotted, _ := withSlots(t, ns, pod)
		return slotted
	})
	expectOrderlyEnd(t, pod, pod.Spec.Containers[0].Name)
}

// expectOrderlyEnd checks that the only slot ended, without an error, after the application.
func expectOrderlyEnd(t *testing.T, pod *corev1.Pod, application string) {
	t.Helper()
	var end time.Time
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == application && status.State.Terminated != nil {
			end = status.State.Terminated.FinishedAt.Time
		}
	}
	ended := 0
	for _, status := range pod.Status.InitContainerStatuses {
		if !names.IsSlot(status.Name) {
			continue
		}
		switch last := status.State.Terminated; {
		case last == nil || last.ExitCode != 0 || last.FinishedAt.Time.Before(end):
			t.Errorf("the slot %s has the state %+v, the application ended at %s", status.Name, status.State, end)
		default:
			ended++
		}
	}
	if ended != 1 {
		t.Errorf("%d slots ended as they should, want one", ended)
	}
}

// The tools ask each slot of a pod by its name, and the one that serves without it.
func TestToolsAskEachSlot(t *testing.T) {
	t.Parallel()
	_ = sharedFixture(t)
	ns := createNamespace(t, "slottools", names.DefaultMesh)
	server, _ := createSlots(t, ns)
	ask := func(more ...string) (string, error) {
		var out, problems bytes.Buffer
		root := cli.New(cli.Streams{In: strings.NewReader(""), Out: &out, Err: &problems}, time.Now, func(string) string { return "" })
		root.SetArgs(append([]string{"proxy", "get", "server_info", server.name, "-n", ns, "--kubeconfig", cluster.Kubeconfig}, more...))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	for _, flags := range [][]string{nil, {"--slot", names.SidecarContainer}} {
		text, err := ask(flags...)
		var info struct {
			State string
			Node  struct{ Metadata map[string]any }
		}
		if err != nil || json.Unmarshal([]byte(text), &info) != nil || info.State != "LIVE" || info.Node.Metadata[names.SlotMetadata] != names.SidecarContainer {
			t.Errorf("%v: %v: %.300s", flags, err, text)
		}
	}
	if text, err := ask("--slot", names.StandbyContainer); err == nil || !strings.Contains(err.Error(), "the slot is idle") {
		t.Errorf("the idle slot answers %.300s, %v", text, err)
	}
}

// createSlots creates a pod with two slots, and returns the image of its Envoys.
func createSlots(t *testing.T, namespace string) (workload, string) {
	t.Helper()
	account, pod := cluster.TestPod(namespace, "server")
	pod, image := withSlots(t, namespace, pod)
	lab.Must(t, cluster.Create(t.Context(), account, lab.TestService(namespace, "server"), pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	return workload{cluster.Agent(t.Context(), namespace, "server", lab.AgentPort), namespace, "server"}, image
}

// withSlots returns a pod with two slots, and the image of its Envoys. The injector of the mesh leaves it as it is.
func withSlots(t *testing.T, namespace string, pod *corev1.Pod) (slotted *corev1.Pod, image string) {
	t.Helper()
	plain, err := dryRunPod(t, namespace, "", nil)
	lab.Must(t, err)
	images := map[string]string{}
	for _, c := range plain.Spec.InitContainers {
		images[c.Name] = c.Image
	}
	slotted, err = inject.Mutate(pod, inject.Namespace{Name: namespace}, inject.Config{
		Mesh: names.DefaultMesh, Namespace: names.DefaultNamespace, TrustDomain: names.DefaultTrustDomain, Revision: plain.Labels[names.RevisionLabel],
		EnvoyImage: images[names.SidecarContainer], InitImage: images[names.InitContainer], InPlace: true,
	}, uniqueName("slots"))
	lab.Must(t, err)
	slotted.Annotations = map[string]string{names.InjectionAnnotation: "disabled"}
	return slotted, images[names.SidecarContainer]
}
