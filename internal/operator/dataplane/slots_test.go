package dataplane

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// withSlots gives a pod two slots that the operator has changed.
func withSlots(p *corev1.Pod) {
	always := ptr.To(corev1.ContainerRestartPolicyAlways)
	p.UID = "1"
	p.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "quay"}, {Name: "ecr"}, {Name: "quay"}}
	p.Annotations = map[string]string{
		names.SlotsLevelAnnotation: "1", names.InjectedSidecarAnnotation: "envoy", names.InjectedInitAnnotation: "init", "other": "annotation",
	}
	p.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kubelet", Subresource: "status", Time: &metav1.Time{Time: noon}}, {Manager: apply.FieldManager, Time: &metav1.Time{Time: noon.Add(-time.Minute)}},
	}
	p.Spec.InitContainers = []corev1.Container{
		{Name: names.InitContainer, Image: "init:1"},
		{Name: names.SidecarContainer, Image: "envoy:1", RestartPolicy: always},
		{Name: names.StandbyContainer, Image: "envoy:2", RestartPolicy: always},
	}
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{
		{Name: names.StandbyContainer, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no"}}},
		{Name: names.SidecarContainer, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(noon.Add(-time.Hour))}}},
	}
}

// TestPodWithSlots is read from the cache, which keeps what it needs only.
func TestPodWithSlots(t *testing.T) {
	want := rollout.SlottedPod{
		Namespace: "shop", Pod: "web", UID: "1", Revision: "old", Level: "1", Patched: noon.Add(-time.Minute), PullSecrets: "ecr,quay",
		Injected: rollout.Injected{Sidecar: "envoy", Init: "init", InitText: "init:1"},
		Slots: [2]rollout.Slot{
			{Name: names.SidecarContainer, Image: "envoy:1", Started: noon.Add(-time.Hour)},
			{Name: names.StandbyContainer, Image: "envoy:2", Problem: "ImagePullBackOff"},
		},
	}
	full := pod("web", "old", "ReplicaSet", "web-5c", hash("5c"), withSlots)
	stripped, err := strip(full.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	kept := stripped.(*corev1.Pod)
	for name, p := range map[string]*corev1.Pod{"the pod": &full, "the cached pod": kept} {
		got, ok := slottedPod(p)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s, two slots: %t (-want +got):\n%s", name, ok, diff)
		}
	}
	if len(kept.Annotations) != 3 || len(kept.ManagedFields) != 1 || len(kept.Spec.InitContainers) != 3 {
		t.Errorf("the cache keeps %+v", kept)
	}
	again, err := strip(kept.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kept, again); diff != "" {
		t.Errorf("stripped twice (-once +twice):\n%s", diff)
	}
	single := pod("web", "old", "", "")
	if _, ok := slottedPod(&single); ok {
		t.Error("a pod with one sidecar has two slots")
	}
}

// TestEndedSlot reads the pod and the cached one. The kubelet reports no reason while it cannot start a container that has ended with exit code 0.
func TestEndedSlot(t *testing.T) {
	full := pod("web", "old", "ReplicaSet", "web-5c", hash("5c"), withSlots, func(p *corev1.Pod) {
		p.Status.InitContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{FinishedAt: metav1.NewTime(noon)}}
	})
	stripped, err := strip(full.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*corev1.Pod{"the pod": &full, "the cached pod": stripped.(*corev1.Pod)} {
		if got, ok := slottedPod(p); !ok || got.Slots[0].Ended || !got.Slots[1].Ended || got.Slots[1].Problem != "" {
			t.Errorf("%s has the slots %+v", name, got.Slots)
		}
	}
}

// TestPodWithoutWorkloadOptsOut has a bare pod with the label of workloads.
func TestPodWithoutWorkloadOptsOut(t *testing.T) {
	bare := pod("web", "old", "", "", withSlots, func(p *corev1.Pod) { p.Labels[names.RestartLabel] = restartDisabled })
	owned := pod("cart-5c-a", "old", "ReplicaSet", "cart-5c", hash("5c"), withSlots, func(p *corev1.Pod) { p.Labels[names.RestartLabel] = restartDisabled })
	for _, w := range (observation{pods: []corev1.Pod{bare, owned}, now: noon}).workloads() {
		if want := w.Ref.Kind == "Pod"; w.OptedOut != want || len(w.Slotted) != 1 {
			t.Errorf("%s: opted out %t, %d pods with slots", w.Ref, w.OptedOut, len(w.Slotted))
		}
	}
}

// TestPodsWhoseRestartsAreCountedAreFixed reads the pod and the cached one. Slots of such pods were injected by earlier versions.
func TestPodsWhoseRestartsAreCountedAreFixed(t *testing.T) {
	for policy, fixed := range map[corev1.RestartPolicy]bool{
		"": false, corev1.RestartPolicyAlways: false, corev1.RestartPolicyOnFailure: true, corev1.RestartPolicyNever: true,
	} {
		full := pod("etl", "old", "Job", "etl", withSlots, func(p *corev1.Pod) { p.Spec.RestartPolicy = policy })
		stripped, err := strip(full.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		for _, workload := range (observation{pods: []corev1.Pod{full, *stripped.(*corev1.Pod)}, now: noon}).workloads() {
			for _, p := range workload.Slotted {
				if (p.Fixed != "") != fixed {
					t.Errorf("the restartPolicy %q: %q", policy, p.Fixed)
				}
			}
		}
	}
}

// TestPodsOnOldKubeletsAreFixed has a node of each kind.
func TestPodsOnOldKubeletsAreFixed(t *testing.T) {
	node := func(name, kubelet string, change ...func(*corev1.Node)) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			NodeInfo:   corev1.NodeSystemInfo{KubeletVersion: kubelet, OperatingSystem: "linux", KernelVersion: "6"},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}, {Type: corev1.NodeDiskPressure}},
		}}
		for _, c := range change {
			c(n)
		}
		stripped, err := strip(n)
		if err != nil {
			t.Fatal(err)
		}
		return stripped.(*corev1.Node)
	}
	taint := func(key string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: key, Effect: corev1.TaintEffectNoSchedule}} }
	}
	nodes := []client.Object{
		node("new", "v1.32.0"), node("old", "v1.31.14-eks-1"), node("unknown", ""), node("dedicated", "v1.30.1", taint("team")),
		node("cordoned", "v1.30.1", func(n *corev1.Node) { n.Spec.Unschedulable = true }),
		node("virtual", "v1.19.10-vk-azure-aci-1.4.5", taint(virtualNodeTaint)),
		node("lost", "v1.36.0", func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }),
		node("windows", "v1.31.1", func(n *corev1.Node) { n.Status.NodeInfo.OperatingSystem = "windows" }),
	}
	if kept := nodes[3].(*corev1.Node); kept.Status.NodeInfo.KernelVersion != "" || len(kept.Status.Conditions) != 1 || len(kept.Spec.Taints) != 0 {
		t.Errorf("the cache keeps %+v", kept)
	}
	p := &Plane{cache: cacheOf{Reader: fake.NewClientBuilder().WithObjects(nodes...).Build()}}
	old, err := p.OldKubelets(t.Context())
	if diff := cmp.Diff([]string{"dedicated (v1.30.1)", "old (v1.31.14-eks-1)"}, old); diff != "" || err != nil {
		t.Errorf("old kubelets, %v (-want +got):\n%s", err, diff)
	}
	ready, err := p.ReadyNodes(t.Context())
	if diff := cmp.Diff(map[string]bool{"new": true, "old": true, "unknown": true, "dedicated": true, "cordoned": true, "lost": false}, ready); diff != "" || err != nil {
		t.Errorf("nodes that can run sidecars, %v (-want +got):\n%s", err, diff)
	}
	o := observation{now: noon}
	if err := p.readNodes(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	for name, fixed := range map[string]bool{"new": false, "old": true, "unknown": false, "dedicated": true, "cordoned": true, "virtual": true, "gone": false} {
		o.pods = []corev1.Pod{pod("web", "old", "", "", withSlots, func(p *corev1.Pod) { p.Spec.NodeName = name })}
		if got := o.workloads()[0].Slotted[0].Fixed; (got != "") != fixed || fixed && !strings.Contains(got, name) {
			t.Errorf("on the node %s: %q", name, got)
		}
	}
}

// cacheOf is a cache that reads from a client.
type cacheOf struct {
	client.Reader
	cache.Informers
}

// TestChangesOfSlotsAreReadFromTheirManagers has the order in which the API server keeps managers, which is not that of their changes.
func TestChangesOfSlotsAreReadFromTheirManagers(t *testing.T) {
	entry := func(manager string, minutes int) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Time: &metav1.Time{Time: noon.Add(time.Duration(minutes) * time.Minute)}}
	}
	absent, back := rollout.ImageKey("envoy:absent"), rollout.PodPatch{TakesBack: "envoy:absent"}
	if slotManager(back) == slotManager(rollout.PodPatch{}) || slotManager(back) == slotManager(rollout.PodPatch{TakesBack: "envoy:other"}) {
		t.Error("a slot that gets its image back is not told from others")
	}
	for name, test := range map[string]struct {
		fields    []metav1.ManagedFieldsEntry
		patched   int
		takenBack string
	}{
		"changed":                       {[]metav1.ManagedFieldsEntry{entry(apply.FieldManager, 1), entry("kubelet", 9)}, 1, ""},
		"taken back":                    {[]metav1.ManagedFieldsEntry{entry(string(slotManager(back)), 3), entry("kubelet", 9)}, 3, absent},
		"taken back, and another slot":  {[]metav1.ManagedFieldsEntry{entry(string(slotManager(back)), 3), entry(apply.FieldManager, 5)}, 5, absent},
		"taken back in different slots": {[]metav1.ManagedFieldsEntry{entry(string(slotManager(back)), 5), entry(takeBackManager+"0", 3)}, 5, absent},
		"a manager of another name":     {[]metav1.ManagedFieldsEntry{entry(apply.FieldManager+"-adoption", 3)}, 0, ""},
	} {
		full := pod("web", "old", "", "", withSlots, func(p *corev1.Pod) { p.ManagedFields = test.fields })
		stripped, err := strip(full.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*corev1.Pod{&full, stripped.(*corev1.Pod)} {
			got, _ := slottedPod(p)
			want := noon.Add(time.Duration(test.patched) * time.Minute)
			if test.patched == 0 {
				want = time.Time{}
			}
			if !got.Patched.Equal(want) || got.TakenBack != test.takenBack {
				t.Errorf("%s: patched %s, taken back from %q", name, got.Patched, got.TakenBack)
			}
		}
	}
}

// TestProblemsOfSlots has reasons of kubelets and runtimes. All but those of a container that is about to start are problems.
func TestProblemsOfSlots(t *testing.T) {
	for reason, isProblem := range map[string]bool{
		"": false, "ContainerCreating": false, "PodInitializing": false, "ErrImagePull": true, "ImagePullBackOff": true, "CrashLoopBackOff": true, "StartError": true,
		"CreateContainerConfigError": true, "RunContainerError": true, "SignatureValidationFailed": true, "RegistryUnavailable": true, "ImageInspectError": true,
	} {
		full := pod("web", "old", "", "", withSlots, func(p *corev1.Pod) { p.Status.InitContainerStatuses[0].State.Waiting.Reason = reason })
		if got, _ := slottedPod(&full); (got.Slots[1].Problem != "") != isProblem {
			t.Errorf("the problem of a slot that waits for the reason %q is %q", reason, got.Slots[1].Problem)
		}
	}
}

// TestImagesThatPoliciesGiveSlots has admission steps that change the image of a patch. One that only completes it is no error.
func TestImagesThatPoliciesGiveSlots(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for answer, isDenied := range map[string]bool{
		"envoy:3": false, "docker.io/library/envoy:3": false, "docker.io/library/envoy:3" + digest: false, "mirror.example/envoy:3": true, "envoy:4": true,
	} {
		web := pod("web", "old", "", "", withSlots)
		web.ManagedFields = nil
		answering := interceptor.Funcs{Patch: func(_ context.Context, _ client.WithWatch, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
			changed := web.DeepCopy()
			changed.Spec.InitContainers[2].Image = answer
			*object.(*corev1.Pod) = *changed
			return nil
		}}
		c := fake.NewClientBuilder().WithObjects(&web).WithInterceptorFuncs(answering).Build()
		p := &Plane{cache: readerCache{reader: c}, writer: c, now: func() time.Time { return noon }}
		err := p.PatchSlot(t.Context(), rollout.PodPatch{Namespace: web.Namespace, Pod: web.Name, Slot: names.StandbyContainer, Image: "envoy:3", Declared: "envoy:3"})
		if isDenied != (err != nil) {
			t.Errorf("a slot that has got %s instead of envoy:3: %v", answer, err)
		}
	}
}
