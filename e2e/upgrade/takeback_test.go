package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// absentImage is one that no registry has. Nothing listens at its address, so the kubelet reports that at once.
	absentImage = "127.0.0.1:1/openservicemesh/absent:1"
	// etl is the Job of the test.
	etl = "etl"
)

// checkSlotIsTakenBack gives the idle slot of an app an image that its node cannot pull. The kubelet reports the pod as not ready, until the operator gives the
// slot its earlier image back.
func (s shop) checkSlotIsTakenBack(app, image string) {
	s.t.Helper()
	s.breakStandby(app)
	s.mesh.change(`{"paused":false}`)
	lab.Eventually(s.t, podLimit, "the slot of "+app+" has its image back, and the pod is ready", func(ctx context.Context) (bool, string, error) {
		pod, err := cluster.Pod(ctx, s.namespace, lab.AppLabel, app)
		if err != nil {
			return false, "", err
		}
		images := slotImages(*pod)
		return isPodReady(pod) && !slices.ContainsFunc(images, func(i string) bool { return i != image }), strings.Join(images, ", "), nil
	})
	pod, err := cluster.Pod(s.t.Context(), s.namespace, lab.AppLabel, app)
	lab.Must(s.t, err)
	if !slices.ContainsFunc(pod.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return strings.HasPrefix(f.Manager, "osm-operator-take-back-") }) {
		s.t.Errorf("the slot has its image back for another reason: %+v", pod.ManagedFields)
	}
	s.awaitReachable(s.agent(buyer), app)
}

// restartTimeout is a second more than the operator waits for a container that has ended.
const restartTimeout = 31 * time.Second

// breakStandby gives the idle slot of an app the absent image while the operator pauses, with its account, because no other may. It returns when the pod is not
// ready for that reason. The container of an idle slot ends with exit code 0, and the kubelet reports nothing else of it while it cannot pull the image.
func (s shop) breakStandby(app string) {
	s.t.Helper()
	s.mesh.change(`{"paused":true}`)
	lab.Eventually(s.t, podLimit, "the operator pauses", func(ctx context.Context) (bool, string, error) {
		live, err := s.mesh.read(ctx)
		if err != nil {
			return false, "", err
		}
		return meta.IsStatusConditionTrue(live.Status.Conditions, v1alpha1.ConditionPaused), lab.Conditions(live.Status.Conditions), nil
	})
	var pod *corev1.Pod
	lab.Eventually(s.t, podLimit, "the sidecar has started before the change for longer than clocks may differ", func(ctx context.Context) (bool, string, error) {
		var err error
		if pod, err = cluster.Pod(ctx, s.namespace, lab.AppLabel, app); err != nil {
			return false, "", err
		}
		running := lab.ContainerStatus(*pod, names.SidecarContainer).State.Running
		return running != nil && time.Since(running.StartedAt.Time) > 10*time.Second, fmt.Sprintf("%+v", running), nil
	})
	config := rest.CopyConfig(cluster.Config)
	config.Impersonate.UserName = "system:serviceaccount:" + names.OperatorNamespace + ":" + names.Operator
	operator, err := client.New(config, client.Options{Scheme: cluster.Client.Scheme()})
	lab.Must(s.t, err)
	patch := fmt.Sprintf(`{"spec":{"initContainers":[{"name":%q,"image":%q}]}}`, names.StandbyContainer, absentImage)
	lab.Must(s.t, operator.Patch(s.t.Context(), pod, client.RawPatch("application/strategic-merge-patch+json", []byte(patch)), client.FieldOwner(names.Operator)))
	changed := time.Now()
	lab.Eventually(s.t, podLimit, "the container of the slot has ended, and does not start for so long that the operator gives its image back", func(ctx context.Context) (bool, string, error) {
		pod, err := cluster.Pod(ctx, s.namespace, lab.AppLabel, app)
		if err != nil {
			return false, "", err
		}
		status := lab.ContainerStatus(*pod, names.StandbyContainer)
		return !isPodReady(pod) && status.State.Running == nil && time.Since(changed) > restartTimeout, fmt.Sprintf("%+v", status), nil
	})
}

func isPodReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
}

// jobs is the namespace of Jobs.
func (m mesh) jobs() string { return m.name + "-jobs" }

// countJobs counts the pods of Jobs. They keep the sidecar that they started with.
func (m mesh) countJobs(ctx context.Context) int {
	m.t.Helper()
	var pods corev1.PodList
	lab.Must(m.t, cluster.Client.List(ctx, &pods, client.InNamespace(m.jobs())))
	return len(pods.Items)
}

// startJob starts a Job that may not restart once, in a namespace of the mesh. The returned function requires that it still runs, in the same pod.
func (m mesh) startJob() func() {
	m.t.Helper()
	namespace := m.jobs()
	lab.Must(m.t, cluster.CreateNamespace(m.t.Context(), namespace, m.name))
	m.t.Cleanup(func() {
		if err := cluster.DeleteNamespace(context.WithoutCancel(m.t.Context()), namespace); err != nil {
			m.t.Error(err)
		}
	})
	account, pod := cluster.TestPod(namespace, etl)
	pod.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: etl},
		Spec:       batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}},
	}
	lab.Must(m.t, cluster.Create(m.t.Context(), account, job))
	lab.Eventually(m.t, podLimit, "the pod of the Job is ready", func(ctx context.Context) (bool, string, error) {
		var pods corev1.PodList
		err := cluster.Client.List(ctx, &pods, client.InNamespace(namespace))
		return err == nil && len(pods.Items) == 1 && isPodReady(&pods.Items[0]), fmt.Sprintf("%d pods", len(pods.Items)), err
	})
	before := m.jobPod(namespace)
	return func() {
		m.t.Helper()
		lab.Must(m.t, cluster.Client.Get(m.t.Context(), client.ObjectKeyFromObject(job), job))
		now := m.jobPod(namespace)
		if job.Status.Active != 1 || job.Status.Failed > 0 || now.UID != before.UID || !slices.Equal(slotImages(now), slotImages(before)) {
			m.t.Errorf("an upgrade in place ended a Job, or changed its pod: %+v, slots %q, before %q", job.Status, slotImages(now), slotImages(before))
		}
		for _, status := range now.Status.InitContainerStatuses {
			if status.RestartCount > 0 {
				m.t.Errorf("the container %s of the Job was restarted", status.Name)
			}
		}
	}
}

// jobPod returns the only pod of the namespace of the Job.
func (m mesh) jobPod(namespace string) corev1.Pod {
	m.t.Helper()
	var pods corev1.PodList
	lab.Must(m.t, cluster.Client.List(m.t.Context(), &pods, client.InNamespace(namespace)))
	if len(pods.Items) != 1 {
		m.t.Fatalf("the Job has %d pods, want one", len(pods.Items))
	}
	return pods.Items[0]
}

// pulls returns the pods that pull images for the mesh.
func (m mesh) pulls() []corev1.Pod {
	m.t.Helper()
	var pods corev1.PodList
	lab.Must(m.t, cluster.Client.List(m.t.Context(), &pods, client.MatchingLabels{names.PullLabel: m.name}))
	return pods.Items
}

// The image of a sidecar that nodes cannot pull reaches no pod. The pods stay as they are, and the condition names the reason.
func TestAbsentImageReachesNoPod(t *testing.T) {
	lab.RequireFull(t)
	m := newMesh(t, "absent", cluster.Version)
	m.change(`{"upgrade":{"dataPlane":{"restart":"InPlace"}}}`)
	m.awaitInjector("--in-place=true")
	s := deployCart(t, m)
	before := s.slots(t.Context(), cart)
	unready := watchReady(t, s.namespace)
	m.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, absentImage))
	lab.Eventually(t, upgradeLimit, "the pods wait for their nodes", func(ctx context.Context) (bool, string, error) {
		live, err := m.read(ctx)
		if err != nil {
			return false, "", err
		}
		text := lab.Conditions(live.Status.Conditions)
		return strings.Contains(text, "waits for its node"), text, nil
	})
	if now := s.slots(t.Context(), cart); !slices.Equal(now, before) {
		t.Errorf("the slots have the images %q, want %q", now, before)
	}
	if pods := m.pulls(); len(pods) != 1 {
		t.Errorf("%d pods pull the image, want that of the only node with such pods", len(pods))
	}
	m.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, before[0]))
	lab.Eventually(t, podLimit, "nothing pulls any more", func(context.Context) (bool, string, error) {
		left := len(m.pulls())
		return left == 0, fmt.Sprintf("%d pods", left), nil
	})
	for _, text := range unready() {
		t.Error(text)
	}
	s.checkNotRestarted()
}
