package operator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

const (
	// olderEnvoy and operatorEnvoy are the sidecar images of olderVersion and operatorVersion.
	olderEnvoy, operatorEnvoy = "openservicemesh/envoy", "example/envoy:1"
	// slotsNode is where pods with two slots run.
	slotsNode = "worker"
	// drainTime is how long the fake Envoys drain.
	drainTime = time.Second
)

// slottedPods simulates the kubelet and the launchers of pods with two slots. A slot whose image has changed takes over, and the other one drains.
type slottedPods struct {
	t               *testing.T
	mesh, namespace string

	mu sync.Mutex
	// unasked is true if the node is not asked to pull.
	unasked bool
	// stuck is an image whose Envoy never takes over, and absent one that pods cannot pull.
	stuck, absent string
	// running has the images of the containers, by pod and slot. serving is the slot that serves in each pod, and drained when the other one is idle.
	running map[string]map[string]string
	serving map[string]string
	drained map[string]time.Time
	// patched has the images that slots got, in order. pulled are those that the node of the pods has pulled before.
	patched []string
	pulled  map[string]bool
}

// newSlottedPods creates ready pods with two slots of the older version, in a namespace of the mesh.
func newSlottedPods(t *testing.T, mesh, level string, pods ...string) *slottedPods {
	t.Helper()
	s := &slottedPods{
		t: t, mesh: mesh, namespace: mesh + "-shop",
		running: map[string]map[string]string{}, serving: map[string]string{}, drained: map[string]time.Time{},
		pulled: map[string]bool{},
	}
	newSlotsNode(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	create(t, namespace)
	slot := func(name string) corev1.Container {
		return corev1.Container{Name: name, Image: olderEnvoy, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}
	}
	for _, name := range pods {
		create(t, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: s.namespace, Name: name, Annotations: map[string]string{names.SlotsLevelAnnotation: level},
				Labels: map[string]string{names.RevisionLabel: mesh + "-" + strings.ReplaceAll(olderVersion, ".", "-"), names.ProxyUUIDLabel: name},
			},
			Spec: corev1.PodSpec{
				NodeName: slotsNode, TerminationGracePeriodSeconds: ptr.To[int64](0),
				InitContainers: []corev1.Container{slot(names.SidecarContainer), slot(names.StandbyContainer)}, Containers: []corev1.Container{{Name: "app", Image: "example/app:1"}},
			},
		})
	}
	change(t, namespace, func(n *corev1.Namespace) { n.Labels[names.MonitoredByLabel] = mesh })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s.step(ctx)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// step starts changed containers, and reports the roles of all slots to the operator.
func (s *slottedPods) step(ctx context.Context) {
	var list corev1.PodList
	if cluster.client.List(ctx, &list, client.InNamespace(s.namespace)) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pull(ctx)
	reading := healthy()
	reading.Proxies.UIDs, reading.Proxies.Roles = map[string]bool{}, map[string]map[string]report.Role{}
	for i := range list.Items {
		pod := &list.Items[i]
		s.startContainers(ctx, pod)
		reading.Proxies.UIDs[string(pod.UID)], reading.Proxies.Roles[string(pod.UID)] = true, s.roles(pod.Name)
	}
	for _, version := range []string{olderVersion, operatorVersion} {
		cluster.health.set(meshNamespace(s.mesh), version, reading)
	}
}

// pull simulates the node that the pods which pull images are placed on.
func (s *slottedPods) pull(ctx context.Context) {
	var pods corev1.PodList
	if cluster.client.List(ctx, &pods, client.InNamespace(meshNamespace(s.mesh)), client.MatchingLabels{names.PullLabel: s.mesh}) != nil {
		return
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		image := pod.Spec.InitContainers[0]
		if len(pod.Status.InitContainerStatuses) > 0 {
			continue
		}
		pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{
			Name: image.Name, Image: image.Image, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 0, Reason: "Completed"}},
		}}
		if cluster.client.Status().Update(ctx, pod) == nil {
			s.pulled[image.Image] = true
		}
	}
}

// newSlotsNode makes sure that the node of pods with two slots is ready.
func newSlotsNode(t *testing.T) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: slotsNode}}
	if err := cluster.client.Create(t.Context(), node); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		get(t, node)
		node.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: "v1.36.0", OperatingSystem: "linux"}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		return cluster.client.Status().Update(t.Context(), node)
	})
}

// startContainers starts the containers of a pod whose images have changed.
func (s *slottedPods) startContainers(ctx context.Context, pod *corev1.Pod) {
	isNew := s.running[pod.Name] == nil
	if isNew {
		s.running[pod.Name], s.serving[pod.Name] = map[string]string{}, names.SidecarContainer
		pod.Status.InitContainerStatuses = make([]corev1.ContainerStatus, 2)
	}
	changed, ready := false, corev1.ConditionTrue
	for i, c := range pod.Spec.InitContainers {
		if s.running[pod.Name][c.Name] == c.Image {
			continue
		}
		if !isNew && c.Image != olderEnvoy && !s.pulled[c.Image] && !s.unasked {
			s.t.Errorf("%s got the image %s before its node", pod.Name, c.Image)
		}
		started := metav1.Now()
		if isNew {
			started = metav1.NewTime(time.Now().Add(-time.Hour))
		}
		state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}}
		if c.Image == s.absent {
			state, ready = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "unauthorized"}}, corev1.ConditionFalse
		}
		pod.Status.InitContainerStatuses[i] = corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: state.Running != nil, State: state, ContainerID: fmt.Sprintf("containerd://%s-%d", c.Name, started.UnixNano()),
		}
		changed = true
	}
	if !changed {
		return
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Minute))}}
	if cluster.client.Status().Update(ctx, pod) != nil {
		if isNew {
			delete(s.running, pod.Name)
		}
		return // the next step tries again
	}
	for _, c := range pod.Spec.InitContainers {
		if s.running[pod.Name][c.Name] == c.Image {
			continue
		}
		s.running[pod.Name][c.Name] = c.Image
		if isNew {
			continue
		}
		s.patched = append(s.patched, pod.Name+" "+c.Name+"="+c.Image)
		if serving := s.serving[pod.Name]; s.running[pod.Name][serving] != c.Image && c.Image != s.stuck && c.Image != s.absent {
			s.serving[pod.Name], s.drained[pod.Name] = c.Name, time.Now().Add(drainTime)
		}
	}
}

// roles are those of the slots of a pod.
func (s *slottedPods) roles(pod string) map[string]report.Role {
	serving := s.serving[pod]
	roles := map[string]report.Role{serving: report.Serving}
	for _, slot := range []string{names.SidecarContainer, names.StandbyContainer} {
		switch {
		case slot == serving:
		case time.Now().Before(s.drained[pod]):
			roles[slot] = report.Draining
		case s.stuck != "" && s.running[pod][slot] == s.stuck:
			roles[slot] = report.Starting
		}
	}
	return roles
}

// wait waits until all slots of all pods run an image.
func (s *slottedPods) wait(image string) {
	s.t.Helper()
	eventually(s.t, func() error {
		var list corev1.PodList
		if err := cluster.client.List(s.t.Context(), &list, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		for i := range list.Items {
			for _, c := range list.Items[i].Status.InitContainerStatuses {
				if c.Image != image {
					return fmt.Errorf("the slot %s of %s has the image %s, want %s", c.Name, list.Items[i].Name, c.Image, image)
				}
			}
		}
		return nil
	})
}

func inPlaceUpgrades(spec *v1alpha1.MeshSpec) {
	fastUpgrades(spec)
	spec.Upgrade.DataPlane.Restart = ptr.To(v1alpha1.RestartInPlace)
}

// TestSidecarsAreUpgradedInPlace changes the version. The idle slot of each pod gets the image of the new version, and the other one after the drain.
func TestSidecarsAreUpgradedInPlace(t *testing.T) {
	t.Parallel()
	const name = "slots"
	mesh := readyMesh(t, name, inPlaceUpgrades)
	s := newSlottedPods(t, name, "1", "cart", "search")
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	waitHistory(t, mesh, v1alpha1.ResultSucceeded, olderVersion, operatorVersion)
	eventually(t, func() error {
		get(t, mesh)
		if p := mesh.Status.Proxies; p == nil || p.Total != 2 || p.Outdated != 0 {
			return fmt.Errorf("the status counts %+v sidecars, want 2 and none outdated", p)
		}
		return nil
	})
	s.wait(operatorEnvoy)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pod := range []string{"cart", "search"} {
		if s.serving[pod] != names.StandbyContainer {
			t.Errorf("the slot %s of %s serves", s.serving[pod], pod)
		}
	}
	if len(s.patched) != 4 {
		t.Errorf("the slots got %q, want one image each", s.patched)
	}
	waitPullsEnded(t, name)
	waitPodEvent(t, s.namespace, "cart", "UpgradeBegun")
	waitPodEvent(t, s.namespace, "search", "UpgradeBegun")
}

// waitPodEvent waits for an Event on a pod, by which its owner finds it, that is related to the Mesh.
func waitPodEvent(t *testing.T, namespace, name, reason string) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	get(t, pod)
	eventually(t, func() error {
		var list eventsv1.EventList
		if err := cluster.client.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Reason == reason && e.Regarding.Kind == "Pod" && e.Regarding.UID == pod.UID && e.Related != nil && e.Related.Kind == "Mesh" {
				return nil
			}
		}
		return fmt.Errorf("the pod %s/%s has no Event %s among %d", namespace, name, reason, len(list.Items))
	})
}

// waitPullsEnded waits until no pod pulls images for a mesh.
func waitPullsEnded(t *testing.T, mesh string) {
	t.Helper()
	eventually(t, func() error {
		var pods corev1.PodList
		if err := cluster.client.List(t.Context(), &pods, client.InNamespace(meshNamespace(mesh)), client.MatchingLabels{names.PullLabel: mesh}); err != nil {
			return err
		}
		if len(pods.Items) > 0 {
			return fmt.Errorf("%d pods are left that pull images", len(pods.Items))
		}
		return nil
	})
}

// TestNothingIsPulledAhead has a Mesh that does not want its nodes to pull. Its slots change as if they had the image.
func TestNothingIsPulledAhead(t *testing.T) {
	t.Parallel()
	const name, patched = "pullsoff", "example/envoy:unpulled"
	readyMesh(t, name, func(spec *v1alpha1.MeshSpec) {
		inPlaceUpgrades(spec)
		spec.Upgrade.DataPlane.Pull = &v1alpha1.PullSpec{Mode: ptr.To(v1alpha1.PullOff)}
	})
	s := newSlottedPods(t, name, "1", "cart")
	s.mu.Lock()
	s.unasked = true
	s.mu.Unlock()
	change(t, meshConfig(name), func(c *configv1alpha2.MeshConfig) { c.Spec.Sidecar.EnvoyImage = patched })
	s.wait(patched)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pulled) > 0 {
		t.Errorf("the node was asked to pull %v", s.pulled)
	}
}

// TestFailedHandoverIsRolledBack has an Envoy that never takes over.
func TestFailedHandoverIsRolledBack(t *testing.T) {
	t.Parallel()
	const name = "stuck"
	mesh := readyMesh(t, name, inPlaceUpgrades)
	s := newSlottedPods(t, name, "1", "cart")
	s.mu.Lock()
	s.stuck = operatorEnvoy
	s.mu.Unlock()
	change(t, mesh, func(m *v1alpha1.Mesh) { m.Spec.Version = ptr.To(operatorVersion) })
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "cart"}}
	waitFor(t, pod, func(p *corev1.Pod) error {
		if p.Spec.InitContainers[1].Image != operatorEnvoy || p.Status.InitContainerStatuses[1].Image != operatorEnvoy {
			return fmt.Errorf("the standby has the image %s", p.Spec.InitContainers[1].Image)
		}
		return nil
	})
	// Both happened a while ago.
	early := metav1.NewTime(time.Now().Add(-4 * time.Minute))
	change(t, pod, func(p *corev1.Pod) {
		record := map[string]any{}
		if err := json.Unmarshal([]byte(p.Annotations[names.SlotChangeAnnotation]), &record); err != nil {
			t.Errorf("the record of the change is %q: %v", p.Annotations[names.SlotChangeAnnotation], err)
		}
		record["time"] = early.UTC().Format(time.RFC3339)
		text, _ := json.Marshal(record)
		p.Annotations[names.SlotChangeAnnotation] = string(text)
	})
	eventually(t, func() error {
		get(t, pod)
		pod.Status.InitContainerStatuses[1].State.Running.StartedAt = early
		return cluster.client.Status().Update(t.Context(), pod)
	})
	entry := waitHistory(t, mesh, v1alpha1.ResultRolledBack, olderVersion, operatorVersion)
	assertContains(t, entry.Reason, "SidecarsTakenOver", name+"-shop/cart", "did not take over within 3m0s")
	s.wait(olderEnvoy)
	waitPullsEnded(t, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving["cart"] != names.SidecarContainer {
		t.Errorf("the slot %s serves", s.serving["cart"])
	}
}

// TestImageOfTheMeshConfigIsUsedInPlace changes the image of new pods while the mesh is idle.
func TestImageOfTheMeshConfigIsUsedInPlace(t *testing.T) {
	t.Parallel()
	const name, patched = "patched", "example/envoy:patched"
	mesh := readyMesh(t, name, inPlaceUpgrades)
	s := newSlottedPods(t, name, "1", "cart")
	change(t, meshConfig(name), func(c *configv1alpha2.MeshConfig) { c.Spec.Sidecar.EnvoyImage = patched })
	s.wait(patched)
	waitCondition(t, mesh, v1alpha1.ConditionDataPlaneUpToDate, metav1.ConditionTrue, v1alpha1.ReasonUpToDate)
}

// TestSlotThatCannotStartIsTakenBack has an image that the nodes can pull, and the pod cannot, as with an expired pull secret. Its slot gets the earlier image
// back at once, and the absent one only once. Another image is tried again.
func TestSlotThatCannotStartIsTakenBack(t *testing.T) {
	t.Parallel()
	const name, absent, present = "takenback", "example/envoy:absent", "example/envoy:present"
	mesh := readyMesh(t, name, inPlaceUpgrades)
	s := newSlottedPods(t, name, "1", "cart")
	s.mu.Lock()
	s.absent = absent
	s.mu.Unlock()
	change(t, meshConfig(name), func(c *configv1alpha2.MeshConfig) { c.Spec.Sidecar.EnvoyImage = absent })
	patched := func() []string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(s.patched)
	}
	eventually(t, func() error {
		if got := patched(); len(got) < 2 {
			return fmt.Errorf("the slots got %q, want the absent image and the earlier one", got)
		}
		return nil
	})
	s.wait(olderEnvoy)
	waitPodEvent(t, s.namespace, "cart", "SlotTakenBack")
	waitCondition(t, mesh, v1alpha1.ConditionDataPlaneUpToDate, metav1.ConditionFalse, v1alpha1.ReasonSidecarsOutdated)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "cart"}}
	get(t, pod)
	if !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }) {
		t.Errorf("the pod has the conditions %+v", pod.Status.Conditions)
	}
	time.Sleep(5 * time.Second) // the mesh is observed several times
	standby := "cart " + names.StandbyContainer + "="
	if got, want := patched(), []string{standby + absent, standby + olderEnvoy}; !slices.Equal(got, want) {
		t.Errorf("the slots got %q, want %q", got, want)
	}
	change(t, meshConfig(name), func(c *configv1alpha2.MeshConfig) { c.Spec.Sidecar.EnvoyImage = present })
	s.wait(present)
}

// TestOldKubeletsAreNoted has a node that joins, whose kubelet does not restart sidecars with another image, and that leaves again.
func TestOldKubeletsAreNoted(t *testing.T) {
	t.Parallel()
	const name = "kubelets"
	mesh := readyMesh(t, name, inPlaceUpgrades)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "old-kubelet"}}
	create(t, node)
	node.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: "v1.31.14", OperatingSystem: "linux"}
	if err := cluster.client.Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	const named = "old-kubelet (v1.31.14)"
	note := func(want string) {
		t.Helper()
		eventually(t, func() error {
			config := meshConfig(name)
			get(t, config)
			get(t, mesh)
			condition := meta.FindStatusCondition(mesh.Status.Conditions, v1alpha1.ConditionDataPlaneUpToDate)
			if got := config.Annotations[names.OldKubeletsAnnotation]; got != want || condition == nil || strings.Contains(condition.Message, named) != (want != "") {
				return fmt.Errorf("the annotation is %q, want %q, and the condition %+v", got, want, condition)
			}
			return nil
		})
	}
	note(named)
	change(t, node, func(n *corev1.Node) { n.Spec.Unschedulable = true })
	note("")
	if err := cluster.client.Delete(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}
