package upgrade

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// The pods of a control plane are ready before the first sidecar has connected to them. The soak must not be over by then.
func TestTheSoakBeginsWhenEverythingWasSeenToBeWell(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) *metav1.Time {
		moment := metav1.NewTime(noon.Add(time.Duration(seconds) * time.Second))
		return &moment
	}
	restarted := func(seconds, ready int) rollout.Workload {
		return rollout.Workload{Restart: rollout.Restart{Revision: "new", At: at(seconds).Time}, ReadySince: at(ready).Time}
	}
	for name, c := range map[string]struct {
		ready     time.Time
		well      *metav1.Time
		workloads []rollout.Workload
		want      time.Time
	}{
		"pods are ready, sidecars are not connected": {ready: at(10).Time},
		"everything was well then":                   {ready: at(10).Time, well: at(20), want: at(20).Time},
		"a pod became ready again":                   {ready: at(30).Time, well: at(20), want: at(30).Time},
		"pods are not ready any more":                {well: at(20)},
		"a workload was restarted after that":        {ready: at(10).Time, well: at(20), workloads: []rollout.Workload{restarted(25, 40)}},
		"everything is well again":                   {ready: at(10).Time, well: at(41), workloads: []rollout.Workload{restarted(25, 40)}, want: at(41).Time},
		"it was well before this try":                {ready: at(10).Time, well: at(0)},
	} {
		p := &pass{current: &v1alpha1.MeshRevision{Status: v1alpha1.MeshRevisionStatus{RoleStartTime: at(1), HealthyTime: c.well}}}
		p.situation = rollout.Situation{Desired: "new", ReadySince: c.ready, Workloads: c.workloads}
		if got := p.healthySince(); !got.Equal(c.want) {
			t.Errorf("%s: well since %s, want %s", name, got, c.want)
		}
	}
}

// A soak that is longer than the timeout must not be lost because a pod is moved in it.
func TestTheTimeoutCountsAnewAfterEverythingWasWell(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) *metav1.Time {
		moment := metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
		return &moment
	}
	for name, c := range map[string]struct {
		well, unwell *metav1.Time
		want         time.Time
	}{
		"it was never well":                  {want: at(0).Time},
		"it was well before the step":        {well: at(-5), unwell: at(-4), want: at(0).Time},
		"it has just been seen not to be":    {well: at(2), want: at(60).Time},
		"it has not been for a while":        {well: at(2), unwell: at(50), want: at(50).Time},
		"it was not in the step before this": {well: at(2), unwell: at(-1), want: at(60).Time},
	} {
		p := &pass{current: &v1alpha1.MeshRevision{Status: v1alpha1.MeshRevisionStatus{RoleStartTime: at(0), HealthyTime: c.well, UnhealthyTime: c.unwell}}}
		p.situation.Now = at(60).Time
		if got := p.unhealthySince(); !got.Equal(c.want) {
			t.Errorf("%s: not well since %s, want %s", name, got, c.want)
		}
	}
}

// runningSidecars returns a workload with one running sidecar for each revision.
func runningSidecars(namespace string, revisions ...string) rollout.Workload {
	w := rollout.Workload{Ref: rollout.Ref{Kind: "Deployment", Namespace: namespace, Name: "web"}, Sidecars: map[string]int{}}
	for i, revision := range revisions {
		pod := fmt.Sprintf("web-%d", i)
		w.Sidecars[revision]++
		w.Running = append(w.Running, rollout.Sidecar{Namespace: namespace, Pod: pod, UID: namespace + "/" + pod, Workload: namespace + "/web", Revision: revision})
	}
	return w
}

// healthOf returns one observation for every control plane.
type healthOf health.Observation

func (h healthOf) Read(context.Context, health.Target) (health.Observation, error) {
	return health.Observation(h), nil
}

// noSecrets is a cluster without Secrets.
type noSecrets struct{ observe.Secrets }

func (noSecrets) Get(context.Context, string, string) (*corev1.Secret, error) { return nil, nil }

// A pod that was not connected before an upgrade says nothing about the new version.
func TestDisconnectedPodsAreRecordedBeforeTheUpgrade(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	active := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-1-0"}}
	next := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "osm-v0-2-0", CreationTimestamp: metav1.NewTime(noon)}}
	reading := healthOf{Proxies: &health.Proxies{UIDs: map[string]bool{"shop/web-0": true}}, Flows: []rollout.Flow{}}
	r := reconcilerAt(t, noon, active, next)
	r.Health, r.Secrets = reading, noSecrets{}
	p := &pass{mesh: &v1alpha1.Mesh{ObjectMeta: metav1.ObjectMeta{Name: "osm"}}, current: next}
	p.situation = rollout.Situation{
		Desired: "osm-v0-2-0", Active: "osm-v0-1-0", Workloads: []rollout.Workload{runningSidecars("shop", "osm-v0-1-0", "osm-v0-1-0")}, Now: noon,
		Revisions: []rollout.Revision{{Name: "osm-v0-1-0", Verified: noon.Add(-time.Hour)}, {Name: "osm-v0-2-0"}},
	}
	if done, err := r.measureBaseline(t.Context(), p); err != nil || !done {
		t.Fatalf("the baseline is not measured (%v)", err)
	}
	if got := p.current.Status.Baseline.DisconnectedWorkloads; !slices.Equal(got, []v1alpha1.DisconnectedWorkload{{Workload: "shop/web", Sidecars: 1}}) {
		t.Errorf("disconnected before are %v, want one of shop/web", got)
	}
	p.situation.Active = "osm-v0-2-0"
	if o := observation(p, health.Observation(reading)); o.Proxies.Connected["shop"].Pods != 1 || !o.Proxies.Connected["shop"].Sound {
		t.Errorf("%+v, want that one sidecar is expected", o.Proxies)
	}
}

// A step that was paused for an hour, or whose operator was away, must not fail or pass at the first look.
func TestStepBeginsAnewAfterAnAbsence(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) *metav1.Time {
		moment := metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
		return &moment
	}
	for name, c := range map[string]struct {
		status    v1alpha1.MeshRevisionStatus
		resumed   bool
		unhealthy time.Time
		healthy   time.Time
	}{
		"an operator that never stopped": {
			status: v1alpha1.MeshRevisionStatus{ObservedTime: at(60)}, unhealthy: at(0).Time,
		},
		"an absence before the first look": {resumed: true, unhealthy: at(60).Time},
		"an absence while a gate waited": {
			status: v1alpha1.MeshRevisionStatus{ObservedTime: at(5)}, resumed: true, unhealthy: at(60).Time,
		},
		"an absence in the soak": {
			status: v1alpha1.MeshRevisionStatus{ObservedTime: at(5), HealthyTime: at(2)}, resumed: true, unhealthy: at(60).Time,
		},
		"a soak without absence": {
			status: v1alpha1.MeshRevisionStatus{ObservedTime: at(60), HealthyTime: at(2)}, unhealthy: at(60).Time, healthy: at(2).Time,
		},
	} {
		t.Run(name, func(t *testing.T) {
			revision := &v1alpha1.MeshRevision{ObjectMeta: metav1.ObjectMeta{Name: "new"}, Status: c.status}
			revision.Status.RoleStartTime = at(0)
			p := &pass{current: revision}
			p.situation = rollout.Situation{Desired: "new", Now: at(60).Time, ReadySince: at(1).Time}
			r := reconcilerAt(t, at(60).Time, revision)
			if err := r.resume(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if resumed := p.current.Status.ResumedTime != nil; resumed != c.resumed {
				t.Errorf("resumed is %t", resumed)
			}
			if got := p.unhealthySince(); !got.Equal(c.unhealthy) {
				t.Errorf("unhealthy since %s, want %s", got, c.unhealthy)
			}
			if got := p.healthySince(); !got.Equal(c.healthy) {
				t.Errorf("healthy since %s, want %s", got, c.healthy)
			}
		})
	}
}

// reconcilerAt returns a reconciler with a clock and some objects.
func reconcilerAt(t *testing.T, now time.Time, objects ...client.Object) *Reconciler {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(objects...).Build()
	return &Reconciler{Cluster: &observe.Cluster{Client: c, Now: func() time.Time { return now }}}
}
