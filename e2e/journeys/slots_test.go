package journeys

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// takeoverLimit is the time limit for a slot to serve after its image was patched, and drainLimit that for the other one to drain without connections.
const (
	takeoverLimit = time.Minute
	drainLimit    = 90 * time.Second
)

// The only replica of a Service gets another Envoy, and goes back, while a client in the mesh sends requests through kube-proxy and holds a TCP connection. No request
// fails, the connection stays open, the pod stays ready, and the application is not restarted.
func TestSidecarIsUpgradedInPlace(t *testing.T) {
	if lab.IsCurrent() {
		t.Skip("an image that no registry has can be loaded into the local cluster only")
	}
	t.Parallel()
	s := sharedFixture(t)
	ns := createNamespace(t, "slots", names.DefaultMesh)
	server, image := createSlots(t, ns)
	patched := loadPatchedEnvoy(t)
	must(t, cluster.Put(t.Context(), routeGroup(ns, "paths", "books=/books")+tcpRoute(ns, "lines", lab.EchoPort, lab.GreetPort)+
		grant{namespace: ns, name: "friend", destination: "server", source: s.friend.namespace + "/friend", rules: []string{"paths:books"}}.String()+
		grant{namespace: ns, name: "friend-lines", destination: "server", source: s.friend.namespace + "/friend", rules: []string{"tcp:lines"}}.String()))
	s.friend.expect(t, server.url("/books"), "200")
	load, err := s.friend.StartRequests(t.Context(), server.url("/books"), "--rate", "100")
	must(t, err)
	unready := watchReady(t, ns)

	session, err := s.friend.StartSession(t.Context(), server.address(lab.EchoPort))
	must(t, err)
	server.patchSlot(t, names.StandbyContainer, patched, "Envoy 2 serves", takeoverLimit)
	time.Sleep(5 * time.Second)
	result, err := session.Stop(t.Context())
	must(t, err)
	if result.Failure != "" {
		t.Errorf("a TCP session was closed by an upgrade in place: %+v", result)
	}
	server.awaitLog(t, names.SidecarContainer, "Envoy 1 has drained", drainLimit)
	server.patchSlot(t, names.SidecarContainer, patched, "idle: the other slot serves", takeoverLimit)
	server.patchSlot(t, names.SidecarContainer, image, "Envoy 3 serves", takeoverLimit)
	requests, err := load.Stop(t.Context())
	must(t, err)
	if requests.Failed() > 0 || !requests.IsRepresentative() {
		t.Errorf("requests failed while the sidecar was upgraded twice: %+v", requests)
	}
	for _, text := range unready() {
		t.Error(text)
	}
	for _, status := range server.pod(t).Status.ContainerStatuses {
		if status.RestartCount > 0 {
			t.Errorf("the container %s was restarted", status.Name)
		}
	}
}

// createSlots creates a pod with two slots, and returns the image of its Envoys.
func createSlots(t *testing.T, namespace string) (workload, string) {
	t.Helper()
	account, pod := cluster.TestPod(namespace, "server")
	pod, image := withSlots(t, namespace, pod)
	must(t, cluster.Create(t.Context(), account, lab.TestService(namespace, "server"), pod))
	must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	return workload{cluster.Agent(t.Context(), namespace, "server", lab.AgentPort), namespace, "server"}, image
}

// withSlots returns a pod with two slots, and the image of its Envoys. The injector of the mesh leaves it as it is.
func withSlots(t *testing.T, namespace string, pod *corev1.Pod) (slotted *corev1.Pod, image string) {
	t.Helper()
	plain, err := dryRunPod(t, namespace, "", nil)
	must(t, err)
	images := map[string]string{}
	for _, c := range plain.Spec.InitContainers {
		images[c.Name] = c.Image
	}
	slotted, err = inject.Mutate(pod, inject.Namespace{Name: namespace}, inject.Config{
		Mesh: names.DefaultMesh, Namespace: names.DefaultNamespace, TrustDomain: names.DefaultTrustDomain, Revision: plain.Labels[names.RevisionLabel],
		EnvoyImage: images[names.SidecarContainer], InitImage: images[names.InitContainer], InPlace: true,
	}, uniqueName("slots"))
	must(t, err)
	slotted.Annotations = map[string]string{names.InjectionAnnotation: "disabled"}
	return slotted, images[names.SidecarContainer]
}

// patchSlot patches the image of a slot, and waits for a line of its launcher.
func (w workload) patchSlot(t *testing.T, slot, image, line string, limit time.Duration) {
	t.Helper()
	_, err := cluster.Kubectl(t.Context(), "-n", w.namespace, "set", "image", "pod/"+w.name, slot+"="+image)
	must(t, err)
	w.awaitLog(t, slot, line, limit)
}

// awaitLog waits for a line of the launcher in the log of the current container of a slot.
func (w workload) awaitLog(t *testing.T, slot, line string, limit time.Duration) {
	t.Helper()
	eventually(t, limit, slot+": "+line, func(ctx context.Context) (bool, string, error) {
		text, err := cluster.Kubectl(ctx, "-n", w.namespace, "logs", w.name, "-c", slot)
		return strings.Contains(text, "osm-launcher: "+slot+": "+line), "", err
	})
}

// watchReady returns a function that returns each moment since in which a pod or an endpoint of a namespace was not ready.
func watchReady(t *testing.T, namespace string) func() []string {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.Config)
	must(t, err)
	pods, err := clients.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{})
	must(t, err)
	slices, err := clients.DiscoveryV1().EndpointSlices(namespace).Watch(t.Context(), metav1.ListOptions{})
	must(t, err)
	return func() []string {
		var found []string
		stop := time.After(5 * time.Second)
		for {
			select {
			case event := <-pods.ResultChan():
				found = append(found, unreadyPod(event.Object)...)
			case event := <-slices.ResultChan():
				found = append(found, unreadyEndpoints(event.Object)...)
			case <-stop:
				pods.Stop()
				slices.Stop()
				return found
			}
		}
	}
}

func unreadyPod(object any) []string {
	pod, isPod := object.(*corev1.Pod)
	if !isPod {
		return nil
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status != corev1.ConditionTrue {
			return []string{"the pod was not ready: " + condition.Message}
		}
	}
	return nil
}

func unreadyEndpoints(object any) []string {
	slice, isSlice := object.(*discoveryv1.EndpointSlice)
	if !isSlice {
		return nil
	}
	var found []string
	for _, endpoint := range slice.Endpoints {
		if endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready {
			found = append(found, "an endpoint was not ready: "+strings.Join(endpoint.Addresses, ", "))
		}
	}
	if len(slice.Endpoints) == 0 {
		found = append(found, "an EndpointSlice was empty")
	}
	return found
}
