package dataplane

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// without is a Deployment that was restarted without sidecars, minutes before noon.
func without(namespace, name string, minutes int, changes ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := deployment(name)
	d.Namespace = namespace
	restart := rollout.Restart{Revision: "none", At: noon.Add(-time.Duration(minutes) * time.Minute)}
	d.Spec.Template.Annotations = map[string]string{names.RestartAnnotation: formatRestart(restart)}
	for _, change := range changes {
		change(d)
	}
	return d
}

// ready is a pod without a sidecar that became ready minutes after noon.
func ready(namespace, name, app string, minutes int) *corev1.Pod {
	p := pod(name, "", "", "", func(p *corev1.Pod) {
		p.Namespace, p.Labels, p.Spec = namespace, map[string]string{"app": app}, corev1.PodSpec{}
	})
	p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute))
	return &p
}

// teardownPlane returns a Plane whose API server has some pods.
func teardownPlane(pods []client.Object, objects ...client.Object) *Plane {
	p := planeOf(append(objects, namespace("shop", "osm"))...)
	p.live = fake.NewClientBuilder().WithObjects(pods...).Build()
	return p
}

// Both the workloads with sidecars and those that have lost them count, each once.
func TestWorkloadsForTeardown(t *testing.T) {
	incomplete := func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 0 }
	other := func(d *appsv1.Deployment) {
		d.Spec.Template.Annotations[names.RestartAnnotation] = "other-v0-2-0 2026-11-20T12:00:00Z"
	}
	plane := teardownPlane([]client.Object{ready("shop", "api-a", "api", 2)},
		deployed("web"), without("shop", "web", 3, incomplete), without("shop", "api", 2), without("shop", "zoo", 4, incomplete), without("shop", "other", 1, other))
	workloads, err := plane.WorkloadsForTeardown(t.Context(), "osm", "none")
	var got []string
	for _, w := range workloads {
		got = append(got, strings.TrimSpace(w.Ref.Name+" "+w.Restart.At.Format(time.TimeOnly)+" "+map[bool]string{true: "ready"}[w.Ready]))
	}
	if diff := cmp.Diff([]string{"api 11:58:00 ready", "web 11:57:00", "zoo 11:56:00"}, got); err != nil || diff != "" {
		t.Fatalf("the workloads (%v, -want +got):\n%s", err, diff)
	}
	if want := noon.Add(2 * time.Minute); !workloads[0].ReadySince.Equal(want) {
		t.Errorf("the last workload is ready since %s, want %s", workloads[0].ReadySince, want)
	}
}

// A removal ends too early if objects that cannot be read count as absent.
func TestWorkloadsForTeardownThatCannotBeRead(t *testing.T) {
	broken := errors.New("no connection")
	for kind, first := range map[string]int{"*v1.PodList": 0, "*v1.DeploymentList": 1} {
		plane := teardownPlane(nil, without("shop", "web", 3))
		failAt(plane, kind, first, broken)
		if _, err := plane.WorkloadsForTeardown(t.Context(), "osm", "none"); !errors.Is(err, broken) {
			t.Errorf("without %s, the error is %v", kind, err)
		}
	}
	plane := teardownPlane(nil, without("shop", "web", 3))
	plane.live = failingCache{err: broken}
	_, err := plane.WorkloadsForTeardown(t.Context(), "osm", "none")
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "the pods of Deployment shop/web cannot be listed") {
		t.Errorf("without pods, the error is %v", err)
	}
}

// The pause between two workloads of a namespace begins when the pods of the last one are ready. Others need no read of the API server.
func TestReadinessOfTheLastWorkload(t *testing.T) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	finished := func(d *appsv1.Deployment) {
		d.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentProgressing, Reason: "NewReplicaSetAvailable", LastUpdateTime: metav1.NewTime(at(1)),
		}}
	}
	incomplete := func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 0 }
	pods := []client.Object{
		ready("shop", "web-a", "web", 3), ready("shop", "web-b", "web", 5), ready("shop", "web-c", "web", 4), ready("shop", "other", "other", 9),
		ready("front", "web-a", "web", 8), ready("back", "web-a", "web", -30), ready("slow", "web-a", "web", 7), ready("full", "web-a", "web", 7),
		ready("ahead", "web-a", "web", 90),
	}
	plane := teardownPlane(pods,
		without("shop", "api", 3), without("shop", "web", 2), without("shop", "zoo", 4), // the second one is the last one
		without("back", "web", 10),            // its pods were ready before the restart, by another clock
		without("slow", "web", 2, incomplete), // its pods are not all ready
		without("full", "web", 2, finished),   // its status tells when it was ready
		without("ahead", "web", 2),            // the clock of its node is ahead
	)
	want := map[string]time.Time{
		"shop/api": {}, "shop/web": at(5), "shop/zoo": {}, "back/web": at(-10), "slow/web": {}, "full/web": at(1), "ahead/web": at(60),
	}
	for range 20 { // the namespaces are visited in any order
		workloads, err := plane.WorkloadsForTeardown(t.Context(), "osm", "none")
		got := map[string]time.Time{}
		for _, w := range workloads {
			got[w.Ref.Namespace+"/"+w.Ref.Name] = w.ReadySince
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Fatalf("the workloads are ready since (%v, -want +got):\n%s", err, diff)
		}
	}
}
