package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// streams allows buyer to open TCP connections, WebSockets and gRPC streams to an app.
const streams = `apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: lines, namespace: %[1]s}
spec: {matches: {ports: [%[3]d]}}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: streams, namespace: %[1]s}
spec: {matches: [{name: websocket, pathRegex: /lines, methods: [GET]}, {name: grpc, pathRegex: /osm.test.Lines/Exchange, methods: [POST]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %[2]s-streams, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: %[2]s, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: buyer, namespace: %[1]s}]
  rules: [{kind: HTTPRouteGroup, name: streams}]
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %[2]s-lines, namespace: %[1]s}
spec:
  destination: {kind: ServiceAccount, name: %[2]s, namespace: %[1]s}
  sources: [{kind: ServiceAccount, name: buyer, namespace: %[1]s}]
  rules: [{kind: TCPRoute, name: lines}]
---
`

// inPlaceUpgrade goes from one Envoy to another, and back, under load.
type inPlaceUpgrade struct {
	// first and second are the images of the sidecars.
	first, second string
	// version is that of the mesh with the second image.
	version string
	// rate is the number of requests a second.
	rate string
	// sessions are the open connections and streams, a third each over TCP, WebSocket and gRPC, with a line every so often. They stay open for held after
	// the new Envoy serves.
	sessions    int
	every, held time.Duration
	// returned is how many slots have the first image at the end: one when it serves again, two after the second Envoy has drained.
	returned int
}

// shortUpgrade changes the image of the sidecar to a patched Envoy of the same version.
func shortUpgrade(t *testing.T) inPlaceUpgrade {
	return inPlaceUpgrade{
		first: currentEnvoy(t), second: loadEnvoy(t, "patched", patched), version: cluster.Version,
		rate: "100", sessions: 3, every: 200 * time.Millisecond, held: 5 * time.Second, returned: 1,
	}
}

// fullUpgrade changes the version of the mesh, its control plane too, and takes the sidecars to the next minor version of Envoy.
func fullUpgrade(t *testing.T) inPlaceUpgrade {
	const next = "next"
	addFaultyVersions(t, next)
	return inPlaceUpgrade{
		first: loadEnvoy(t, "earlier", earlier), second: currentEnvoy(t), version: faulty(next),
		rate: "1000", sessions: 201, every: 2 * time.Second, held: 10 * time.Minute, returned: 2,
	}
}

// The sidecars of a mesh get another Envoy, and go back, while one of its pods sends requests to the only replica of a Service, through kube-proxy, and holds
// connections and streams. No request fails, the connections stay open, the pods stay ready, and no application is restarted. A Job that may not restart
// stays alive beside them. Before that, a slot with an image that cannot be pulled has got its earlier one back.
func TestSidecarIsUpgradedInPlace(t *testing.T) {
	requireLocalImages(t)
	besideOthers(t)
	prepare := shortUpgrade
	if lab.IsFull() {
		prepare = fullUpgrade
	}
	u := prepare(t)
	m := newMesh(t, "slots", cluster.Version)
	m.change(fmt.Sprintf(`{"upgrade":{"dataPlane":{"restart":"InPlace"}},"sidecar":{"image":%q}}`, u.first))
	m.awaitInjector("--in-place=true")
	s := deployCart(t, m)
	s.awaitSlots("both slots have the first image", u.first, 2)
	s.checkSlotIsTakenBack(cart, u.first)
	checkJob := m.startJob()
	requests, err := s.agent(buyer).StartRequests(t.Context(), s.url(cart), "--rate", u.rate, "--most", "100", "--timeout", requestTimeout)
	lab.Must(t, err)
	unready := watchReady(t, s.namespace)

	sessions := s.startSessions(u.sessions, u.every)
	m.change(fmt.Sprintf(`{"version":%q,"sidecar":{"image":%q}}`, u.version, u.second))
	s.awaitSlots("the new Envoy serves", u.second, 1)
	s.logHandover()
	time.Sleep(u.held)
	if failed := s.stopSessions(sessions); len(failed) > 0 {
		t.Errorf("an upgrade in place closed sessions %s\n%s", strings.Join(failed, ", "), s.slotLogs("/lines", "osm-launcher"))
	}
	s.awaitSlots("the earlier Envoy has drained, and its slot has the new image", u.second, 2)
	if u.version != cluster.Version {
		m.awaitResult(v1alpha1.ResultSucceeded, cluster.Version, u.version)
	}
	m.change(fmt.Sprintf(`{"version":%q,"sidecar":{"image":%q}}`, cluster.Version, u.first))
	s.awaitSlots("the first Envoy serves again", u.first, u.returned)
	result, err := requests.Stop(t.Context())
	lab.Must(t, err)
	t.Logf("%d requests: %v, %d skipped, late by up to %s; %d connections and streams", result.Requests, result.Outcomes, result.Skipped, result.Late, u.sessions)
	if result.Failed() > 0 || !result.IsRepresentative() {
		t.Errorf("requests failed while the sidecars were upgraded twice: %+v", result)
	}
	for _, text := range unready() {
		t.Error(text)
	}
	s.checkNotRestarted()
	checkJob()
}

// logHandover logs what the launchers say about their handovers.
func (s shop) logHandover() {
	s.t.Helper()
	s.t.Log(s.slotLogs("handed over"))
}

// slotLogs returns the lines of the logs of slots that contain one of some texts.
func (s shop) slotLogs(texts ...string) string {
	s.t.Helper()
	var out strings.Builder
	for _, app := range []string{buyer, cart} {
		pod, err := cluster.Pod(s.t.Context(), s.namespace, lab.AppLabel, app)
		lab.Must(s.t, err)
		for _, slot := range []string{names.SidecarContainer, names.StandbyContainer} {
			text, err := cluster.Kubectl(s.t.Context(), "logs", "--timestamps", "-n", s.namespace, pod.Name, "-c", slot)
			lab.Must(s.t, err)
			for line := range strings.Lines(text) {
				if slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) }) {
					fmt.Fprintf(&out, "%s: %s", app, line)
				}
			}
		}
	}
	return out.String()
}

// sessionKinds are the kinds of sessions, with the port of their server.
var sessionKinds = []struct {
	over string
	port int
}{{"tcp", lab.EchoPort}, {"websocket", lab.HTTPPort}, {"grpc", lab.HTTPPort}}

// startSessions opens connections and streams from buyer to cart.
func (s shop) startSessions(count int, every time.Duration) []*lab.Running[report.Session] {
	s.t.Helper()
	agent := s.agent(buyer)
	sessions := make([]*lab.Running[report.Session], count)
	for i := range sessions {
		kind := sessionKinds[i%len(sessionKinds)]
		session, err := agent.StartSession(s.t.Context(), fmt.Sprintf("%s.%s:%d", cart, s.namespace, kind.port), "--over", kind.over, "--every", every.String())
		lab.Must(s.t, err)
		sessions[i] = session
	}
	return sessions
}

// stopSessions ends sessions, and returns how those ended that had ended before.
func (s shop) stopSessions(sessions []*lab.Running[report.Session]) []string {
	s.t.Helper()
	var failed []string
	for i, session := range sessions {
		result, err := session.Stop(s.t.Context())
		lab.Must(s.t, err)
		if result.Failure != "" {
			failed = append(failed, fmt.Sprintf("over %s at %s, after %d lines: %s",
				sessionKinds[i%len(sessionKinds)].over, result.FailedAt.Format(time.TimeOnly), result.Exchanges, result.Error))
		}
	}
	return failed
}

// cart is the only replica of a Service.
const cart = "cart"

// deployCart deploys buyer and cart in the shop of a mesh.
func deployCart(t *testing.T, m mesh) shop {
	t.Helper()
	s := shop{t, m, m.shop()}
	lab.Must(t, cluster.CreateNamespace(t.Context(), s.namespace, m.name))
	t.Cleanup(s.close)
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policies+streams, s.namespace, cart, lab.EchoPort)))
	account, pod := cluster.TestPod(s.namespace, buyer)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	s.deploy(cart, 1, nil)
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.namespace))
	s.awaitReachable(s.agent(buyer), cart)
	return s
}

// awaitInjector waits until the injector of a mesh runs with an option only.
func (m mesh) awaitInjector(option string) {
	m.t.Helper()
	lab.Eventually(m.t, podLimit, "the injector has the option "+option, func(ctx context.Context) (bool, string, error) {
		d := &appsv1.Deployment{}
		if err := cluster.Client.Get(ctx, client.ObjectKey{Namespace: m.namespace(), Name: names.Injector}, d); err != nil {
			return false, "", err
		}
		rolledOut := d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == *d.Spec.Replicas && d.Status.ReadyReplicas == *d.Spec.Replicas &&
			d.Status.Replicas == *d.Spec.Replicas
		arguments := d.Spec.Template.Spec.Containers[0].Args
		return rolledOut && slices.Contains(arguments, option), strings.Join(arguments, " "), nil
	})
}

// slots returns the images of the slots of an app's pod.
func (s shop) slots(ctx context.Context, app string) []string {
	s.t.Helper()
	pod, err := cluster.Pod(ctx, s.namespace, lab.AppLabel, app)
	lab.Must(s.t, err)
	images := slotImages(*pod)
	if len(images) != 2 {
		s.t.Fatalf("%s has %d slots, want two", app, len(images))
	}
	return images
}

// awaitSlots waits until at least so many slots of each app have an image, and no sidecar of the mesh is outdated except for those of Jobs.
func (s shop) awaitSlots(what, image string, atLeast int) {
	s.t.Helper()
	start := time.Now()
	defer func() { s.t.Logf("%5.1fs: %s", time.Since(start).Seconds(), what) }()
	lab.Eventually(s.t, upgradeLimit, what, func(ctx context.Context) (bool, string, error) {
		live, err := s.mesh.read(ctx)
		if err != nil || live.Status.Proxies == nil {
			return false, "no sidecars are counted", err
		}
		done := int(live.Status.Proxies.Outdated) <= s.mesh.countJobs(ctx)
		for _, app := range []string{buyer, cart} {
			done = done && len(slices.DeleteFunc(s.slots(ctx, app), func(i string) bool { return i != image })) >= atLeast
		}
		return done, fmt.Sprintf("%+v; %s", *live.Status.Proxies, lab.Conditions(live.Status.Conditions)), nil
	})
}

// checkNotRestarted requires that the applications of the shop were never restarted.
func (s shop) checkNotRestarted() {
	s.t.Helper()
	var pods corev1.PodList
	lab.Must(s.t, cluster.Client.List(s.t.Context(), &pods, client.InNamespace(s.namespace)))
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			if status.RestartCount > 0 {
				s.t.Errorf("the container %s of %s was restarted", status.Name, pod.Name)
			}
		}
	}
	if len(pods.Items) != 2 {
		s.t.Errorf("there are %d pods, want the two of the beginning", len(pods.Items))
	}
}

// watchReady returns a function that returns each moment since in which a pod or an endpoint of a namespace was not ready.
func watchReady(t *testing.T, namespace string) func() []string {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cluster.Config)
	lab.Must(t, err)
	pods, err := clients.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{})
	lab.Must(t, err)
	endpoints, err := clients.DiscoveryV1().EndpointSlices(namespace).Watch(t.Context(), metav1.ListOptions{})
	lab.Must(t, err)
	return func() []string {
		var found []string
		stop := time.After(5 * time.Second)
		for {
			select {
			case event := <-pods.ResultChan():
				found = append(found, unreadyPod(event.Object)...)
			case event := <-endpoints.ResultChan():
				found = append(found, unreadyEndpoints(event.Object)...)
			case <-stop:
				pods.Stop()
				endpoints.Stop()
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

// slotImages returns the images of the slots of a pod.
func slotImages(pod corev1.Pod) []string {
	var images []string
	for _, c := range pod.Spec.InitContainers {
		if names.IsSlot(c.Name) {
			images = append(images, c.Image)
		}
	}
	return images
}
