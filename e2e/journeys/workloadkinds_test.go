package journeys

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// templateNamedByPod returns a pod template whose server uses the pod's name in its responses.
func templateNamedByPod(pod *corev1.Pod) corev1.PodTemplateSpec {
	pod.Spec.Containers[0].Args[1] = "--name="
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}
}

// objectMeta returns the metadata of an object of a test.
func objectMeta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

func TestStatefulSetPodsAreReachableByName(t *testing.T) {
	t.Parallel()
	ns := meshNamespace(t, "stateful")
	applyPolicies(t, routeGroup(ns, "any", "all=.*"), grant{namespace: ns, name: "client", destination: "db", source: ns + "/client", rules: []string{"any"}}.String())
	account, pod := cluster.TestPod(ns, "db")
	service := lab.TestService(ns, "db")
	service.Spec.ClusterIP = corev1.ClusterIPNone
	two := int32(2)
	lab.Must(t, cluster.Create(t.Context(), account, service, &appsv1.StatefulSet{ObjectMeta: objectMeta(ns, "db"), Spec: appsv1.StatefulSetSpec{
		ServiceName: "db", Replicas: &two, PodManagementPolicy: appsv1.ParallelPodManagement,
		Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: templateNamedByPod(pod),
	}}))
	caller := createWorkloads(t, ns, "client")["client"]
	for _, name := range []string{"db-0", "db-1"} {
		for _, host := range []string{name + ".db", name + ".db." + ns + ".svc.cluster.local"} {
			result := caller.expect(t, fmt.Sprintf("http://%s:%d/", host, lab.HTTPPort), "200")
			if result.Names[name] != lab.Consecutive {
				t.Errorf("a request to %s at %s was served by %v", name, host, result.Names)
			}
		}
	}
}

func TestDaemonSetsAndCronJobsGetSidecars(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	ns := meshNamespace(t, "kinds")
	policy := grant{namespace: s.server.namespace, name: ns, destination: "server", source: ns + "/worker", rules: []string{"paths:books"}}.String()
	applyPolicies(t, policy)
	t.Cleanup(func() { _ = cluster.Remove(context.Background(), policy) })
	account, pod := cluster.TestPod(ns, "worker")
	daemons := &appsv1.DaemonSet{ObjectMeta: objectMeta(ns, "daemon"), Spec: appsv1.DaemonSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: pod.Labels}, Template: templateNamedByPod(pod.DeepCopy()),
	}}
	cron := &batchv1.CronJob{ObjectMeta: objectMeta(ns, "cron"), Spec: batchv1.CronJobSpec{Schedule: "* * * * *", ConcurrencyPolicy: batchv1.ForbidConcurrent}}
	pod.Spec.RestartPolicy, pod.Labels = corev1.RestartPolicyOnFailure, map[string]string{lab.AppLabel: "cron"}
	pod.Spec.Containers[0].ReadinessProbe = nil
	cron.Spec.JobTemplate.Spec.Template = templateNamedByPod(pod)
	cron.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Args = []string{"request", s.server.url("/books"), "--count", "1"}
	lab.Must(t, cluster.Create(t.Context(), account, daemons, cron))
	lab.Eventually(t, podLimit, "the DaemonSet is ready", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(daemons), daemons)
		now := daemons.Status
		return now.DesiredNumberScheduled > 0 && now.NumberReady == now.DesiredNumberScheduled, fmt.Sprintf("%+v", now), err
	})
	lab.Eventually(t, time.Minute+podLimit, "a Job of the CronJob is complete", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(cron), cron)
		return cron.Status.LastSuccessfulTime != nil, fmt.Sprintf("%+v", cron.Status), err
	})
	var all corev1.PodList
	lab.Must(t, cluster.Client.List(t.Context(), &all, client.InNamespace(ns)))
	for i := range all.Items {
		if !hasSidecar(&all.Items[i]) {
			t.Errorf("pod %s has no sidecar", all.Items[i].Name)
		}
	}
}

// TestHooksAndProbesReachEveryContainer uses a pod whose start depends on a hook, with a native sidecar that has its
// own probe. The pod would not start if the kubelet could not reach one of them.
func TestHooksAndProbesReachEveryContainer(t *testing.T) {
	t.Parallel()
	ns := meshNamespace(t, "hooks")
	account, pod := cluster.TestPod(ns, "hooked")
	const helperPort = 8082
	always := corev1.ContainerRestartPolicyAlways
	helper := cluster.ToolsContainer("helper", "helper", helperPort, 7072)
	helper.RestartPolicy, helper.ReadinessProbe = &always, nil
	helper.StartupProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(helperPort)}}, PeriodSeconds: 1, FailureThreshold: 30}
	pod.Spec.InitContainers = []corev1.Container{helper}
	app := &pod.Spec.Containers[0]
	call := func(path string) *corev1.LifecycleHandler {
		return &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(helperPort)}}
	}
	app.Lifecycle = &corev1.Lifecycle{PostStart: call("/warm"), PreStop: call("/drain")}
	app.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(lab.EchoPort)}}, PeriodSeconds: 1}
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, ns))
	lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if status.RestartCount > 0 {
			t.Errorf("container %s was restarted: %+v", status.Name, status.LastTerminationState)
		}
	}
	lab.Must(t, cluster.Client.Delete(t.Context(), pod))
	lab.Eventually(t, podLimit, "the pod is gone", func(ctx context.Context) (bool, string, error) {
		err := cluster.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return err != nil && client.IgnoreNotFound(err) == nil, string(pod.Status.Phase), client.IgnoreNotFound(err)
	})
	var events corev1.EventList
	lab.Must(t, cluster.Client.List(t.Context(), &events, client.InNamespace(ns)))
	for _, event := range events.Items {
		if strings.HasPrefix(event.Reason, "FailedP") && strings.HasSuffix(event.Reason, "Hook") {
			t.Errorf("%s: %s", event.Reason, event.Message)
		}
	}
}

// TestCopiedPodGetsNewSidecar copies a running pod like kubectl debug --copy-to.
func TestCopiedPodGetsNewSidecar(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	original := s.server.pod(t)
	copied := &corev1.Pod{ObjectMeta: objectMeta(original.Namespace, uniqueName("copy")), Spec: *original.Spec.DeepCopy()}
	copied.Annotations, copied.Spec.NodeName = original.Annotations, ""
	copied.Spec.Containers = append(copied.Spec.Containers, cluster.ToolsContainer("debugger", "debugger", 8083, 7073))
	lab.Must(t, cluster.Client.Create(t.Context(), copied, client.DryRunAll))
	var started []string
	for _, container := range append(copied.Spec.InitContainers, copied.Spec.Containers...) {
		started = append(started, container.Name)
	}
	if got, want := strings.Join(started, " "), "osm-init envoy app debugger"; got != want {
		t.Errorf("the copy has the containers %s, want %s", got, want)
	}
	before, after := original.Labels[names.ProxyUUIDLabel], copied.Labels[names.ProxyUUIDLabel]
	if after == "" || after == before {
		t.Errorf("the copy's sidecar has id %q, the original's %q, want different ids", after, before)
	}
}

// TestUnsupportedPortsAreReported uses a Service with a UDP port and a port with an unknown application protocol.
func TestUnsupportedPortsAreReported(t *testing.T) {
	t.Parallel()
	ns := meshNamespace(t, "ports")
	unknownProtocol := "example.com/own"
	lab.Must(t, cluster.Create(t.Context(), &corev1.Service{ObjectMeta: objectMeta(ns, "mixed"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
		{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "own", Port: 90, AppProtocol: &unknownProtocol},
	}}}))
	lab.Eventually(t, podLimit, "an Event about the Service", func(ctx context.Context) (bool, string, error) {
		var events corev1.EventList
		if err := cluster.Client.List(ctx, &events, client.InNamespace(ns)); err != nil {
			return false, "", err
		}
		for _, event := range events.Items {
			if event.InvolvedObject.Name == "mixed" && strings.Contains(event.Message, "UDP") && strings.Contains(event.Message, unknownProtocol) {
				return true, "", nil
			}
		}
		return false, fmt.Sprint(len(events.Items), " Events"), nil
	})
}
