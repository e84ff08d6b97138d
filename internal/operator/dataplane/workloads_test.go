package dataplane

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// pod returns a ready pod with a sidecar, with changes.
func pod(name, revision, ownerKind, owner string, change ...func(*corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{names.RevisionLabel: revision}},
		Spec:       corev1.PodSpec{InitContainers: []corev1.Container{{Name: names.SidecarContainer, RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)},
		}},
	}
	if ownerKind != "" {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: ownerKind, Name: owner, Controller: ptr.To(true)}}
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func hash(value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = value }
}

func TestWorkloads(t *testing.T) {
	web := rollout.Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}
	restart := rollout.Restart{Revision: "osm-v0-2-0", At: noon.Add(-time.Minute)}
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	completed := func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
	terminating := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }
	for name, c := range map[string]struct {
		observation observation
		want        []rollout.Workload
	}{
		"a ReplicaSet stands for its Deployment": {
			observation{
				pods:   []corev1.Pod{pod("web-5c-a", "old", "ReplicaSet", "web-5c", hash("5c")), pod("web-6d-b", "new", "ReplicaSet", "web-6d", hash("6d"))},
				states: map[rollout.Ref]state{web: {progress: progress{complete: true}, restart: formatRestart(restart), podLabels: map[string]string{"app": "web"}}},
			},
			[]rollout.Workload{{Ref: web, Sidecars: map[string]int{"old": 1, "new": 1}, Ready: true, ReadySince: noon, Restart: restart}},
		},
		"terminating and completed pods do not count": {
			observation{pods: []corev1.Pod{pod("a", "old", "", "", completed), pod("b", "old", "", "", terminating)}}, nil,
		},
		"a pod without an owner": {
			observation{pods: []corev1.Pod{pod("lone", "old", "", "")}},
			[]rollout.Workload{{Ref: rollout.Ref{Kind: "Pod", Namespace: "shop", Name: "lone"}, Sidecars: map[string]int{"old": 1}, Ready: true, ReadySince: noon}},
		},
		"a ReplicaSet without a Deployment": {
			observation{pods: []corev1.Pod{pod("lone-a", "old", "ReplicaSet", "lone")}},
			[]rollout.Workload{{Ref: rollout.Ref{Kind: "ReplicaSet", Namespace: "shop", Name: "lone"}, Sidecars: map[string]int{"old": 1}, Ready: true, ReadySince: noon}},
		},
		"an unready pod keeps its workload from being complete": {
			observation{
				pods:   []corev1.Pod{pod("web-5c-a", "old", "ReplicaSet", "web-5c", hash("5c"), unready)},
				states: map[rollout.Ref]state{web: {progress: progress{complete: true}}},
			},
			[]rollout.Workload{{Ref: web, Sidecars: map[string]int{"old": 1}}},
		},
		"a Deployment that is not in the cache is not complete": {
			observation{pods: []corev1.Pod{pod("web-5c-a", "old", "ReplicaSet", "web-5c", hash("5c"))}},
			[]rollout.Workload{{Ref: web, Sidecars: map[string]int{"old": 1}}},
		},
		"a workload opted out by label": {
			observation{
				pods:     []corev1.Pod{pod("web-5c-a", "old", "ReplicaSet", "web-5c", hash("5c")), pod("db-0", "old", "StatefulSet", "db")},
				states:   map[rollout.Ref]state{web: {progress: progress{complete: true}, labels: map[string]string{names.RestartLabel: restartDisabled}}},
				optedOut: map[string]bool{"elsewhere": true},
			},
			[]rollout.Workload{
				{Ref: web, Sidecars: map[string]int{"old": 1}, Ready: true, ReadySince: noon, OptedOut: true},
				{Ref: rollout.Ref{Kind: "StatefulSet", Namespace: "shop", Name: "db"}, Sidecars: map[string]int{"old": 1}},
			},
		},
		"a PodDisruptionBudget blocks": {
			observation{
				pods:   []corev1.Pod{pod("web-5c-a", "old", "ReplicaSet", "web-5c", hash("5c"))},
				states: map[rollout.Ref]state{web: {progress: progress{complete: true}, podLabels: map[string]string{"app": "web"}}},
				budgets: []policyv1.PodDisruptionBudget{
					budget("others", "other", 0), budget("generous", "web", 1), budget("strict", "web", 0),
				},
			},
			[]rollout.Workload{{Ref: web, Sidecars: map[string]int{"old": 1}, Ready: true, ReadySince: noon, Blocked: "strict"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.observation.now = noon.Add(time.Hour)
			if diff := cmp.Diff(c.want, c.observation.workloads(), cmpopts.IgnoreFields(rollout.Workload{}, "Progressed", "Accounts")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestProgress checks that the creation of a pod and its readiness count, also if another pod is not ready.
func TestProgress(t *testing.T) {
	unready := func(p *corev1.Pod) { p.Status.Conditions = nil }
	created := func(at time.Time) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(at) }
	}
	for want, pods := range map[time.Time][]corev1.Pod{
		noon:                      {pod("db-0", "new", "StatefulSet", "db", created(noon.Add(-time.Minute))), pod("db-1", "new", "StatefulSet", "db", unready, created(noon.Add(-time.Hour)))},
		noon.Add(time.Minute):     {pod("db-0", "new", "StatefulSet", "db"), pod("db-1", "new", "StatefulSet", "db", unready, created(noon.Add(time.Minute)))},
		noon.Add(2 * time.Minute): {pod("db-1", "new", "StatefulSet", "db", unready, created(noon.Add(2*time.Minute)))},
	} {
		if loads := (observation{pods: pods, now: noon.Add(time.Hour)}).workloads(); len(loads) != 1 || !loads[0].Progressed.Equal(want) || loads[0].Ready {
			t.Errorf("the workload is %+v, want progress at %s", loads, want)
		}
	}
}

func budget(name, app string, allowed int32) policyv1.PodDisruptionBudget {
	return policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
		Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed, ExpectedPods: 1},
	}
}

func TestStateOf(t *testing.T) {
	deployment := func(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
		d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)}}
		d.Generation = 3
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}
		for _, c := range change {
			c(d)
		}
		return d
	}
	for name, c := range map[string]struct {
		deployment *appsv1.Deployment
		want       bool
	}{
		"complete":                        {deployment(), true},
		"the latest spec is not observed": {deployment(func(d *appsv1.Deployment) { d.Generation = 4 }), false},
		"an old pod remains":              {deployment(func(d *appsv1.Deployment) { d.Status.Replicas = 3 }), false},
		"a pod is not updated":            {deployment(func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }), false},
		"a pod is not available":          {deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }), false},
		"replicas default to one":         {deployment(func(d *appsv1.Deployment) { d.Spec.Replicas = nil }), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := stateOf(c.deployment).isDone(0); got != c.want {
				t.Errorf("complete is %v", got)
			}
		})
	}
	// The alpha strategy of Kubernetes 1.37 deletes all pods at once.
	for strategy, onDelete := range map[appsv1.StatefulSetUpdateStrategyType]bool{"": false, "RollingUpdate": false, "OnDelete": true, "Recreate": true, "Later": true} {
		set := &appsv1.StatefulSet{}
		set.Spec.UpdateStrategy.Type = strategy
		if got := stateOf(set).onDelete; got != onDelete {
			t.Errorf("a StatefulSet with the strategy %q is left to its users: %t", strategy, got)
		}
	}
	for strategy, onDelete := range map[appsv1.DaemonSetUpdateStrategyType]bool{"": false, "RollingUpdate": false, "OnDelete": true, "Later": true} {
		set := &appsv1.DaemonSet{}
		set.Spec.UpdateStrategy.Type = strategy
		if got := stateOf(set).onDelete; got != onDelete {
			t.Errorf("a DaemonSet with the strategy %q is left to its users: %t", strategy, got)
		}
	}
	partitioned := &appsv1.StatefulSet{}
	partitioned.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: ptr.To[int32](1)}
	if !stateOf(partitioned).onDelete {
		t.Error("a StatefulSet with a partition does not replace every pod, but onDelete is false")
	}
}

func TestParseRestartReadsFormatRestart(t *testing.T) {
	for _, want := range []rollout.Restart{{Revision: "osm-v0-2-0", At: noon}, {Revision: "osm-v0-2-0", At: noon, Retry: true}} {
		if got := parseRestart(formatRestart(want)); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, text := range []string{"2026-11-20T12:00:00Z", "osm-v0-2-0 today", "osm-v0-2-0 2026-11-20T12:00:00Z often", ""} {
		if got := parseRestart(text); got != (rollout.Restart{}) {
			t.Errorf("the annotation %q is read as %+v", text, got)
		}
	}
}

func TestHasSidecarOf(t *testing.T) {
	fromOSM := func(p *corev1.Pod) {
		p.Labels = map[string]string{names.ProxyUUIDLabel: "1"}
		p.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}, {Name: names.SidecarContainer}}}
	}
	labelled := func(p *corev1.Pod) { p.Spec.InitContainers = nil }
	started := func(p *corev1.Pod) { p.Spec.InitContainers[0].RestartPolicy = nil }
	for name, c := range map[string]struct {
		pod    corev1.Pod
		member string
		want   bool
	}{
		"own sidecar":                                 {pod("a", "osm-v0-2-0", "", ""), "osm", true},
		"own sidecar in a namespace that left":        {pod("a", "osm-v0-2-0", "", ""), "", true},
		"own sidecar in a namespace of another mesh":  {pod("a", "osm-v0-2-0", "", ""), "other", false},
		"sidecar of another mesh in an own namespace": {pod("a", "other-v0-2-0", "", ""), "osm", true},
		"sidecar of another mesh in its namespace":    {pod("a", "other-v0-2-0", "", ""), "other", false},
		"sidecar of another mesh without namespaces":  {pod("a", "other-v0-2-0", "", ""), "", false},
		"OSM sidecar in an own namespace":             {pod("a", "", "", "", fromOSM), "osm", true},
		"OSM sidecar in a namespace of another mesh":  {pod("a", "", "", "", fromOSM), "other", false},
		"OSM sidecar in a namespace without mesh":     {pod("a", "", "", "", fromOSM), "", false},
		"labels without a sidecar":                    {pod("a", "osm-v0-2-0", "", "", labelled), "osm", false},
		"labels in a namespace without mesh":          {pod("a", "osm-v0-2-0", "", "", labelled), "", false},
		"an init container of that name":              {pod("a", "osm-v0-2-0", "", "", started), "osm", false},
	} {
		t.Run(name, func(t *testing.T) {
			stripped, err := strip(&c.pod)
			if err != nil {
				t.Fatal(err)
			}
			if got := hasSidecarOf("osm")(c.member, stripped.(*corev1.Pod)); got != c.want {
				t.Errorf("hasSidecarOf is %t, want %t", got, c.want)
			}
		})
	}
}
