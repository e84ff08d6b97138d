package pull

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func TestNodesWithTheImageAreKnown(t *testing.T) {
	c, p := newCluster(t, "one", "two", "three", "unneeded")
	nodes := []string{"one", "two", "three"}
	if got := c.ask(p, nodes...); got.Nodes == nil || len(got.Nodes) > 0 || len(got.Late) > 0 {
		t.Errorf("before anything is pulled: %+v, want no node", got)
	}
	if got := c.asked(); !slices.Equal(got, []string{"one", "three", "two"}) {
		t.Errorf("%q were asked", got)
	}
	c.end("three", 132)
	c.pass(2 * time.Second)
	if got := c.ask(p, nodes...); len(got.Nodes) > 0 || p.Unusable(image.Reference) != "" {
		t.Errorf("the image runs on %v, and is unusable because %q", got.Nodes, p.Unusable(image.Reference))
	}
	c.end("one", 0)
	c.pass(2 * time.Second)
	got := c.ask(p, nodes...)
	if diff := cmp.Diff(rollout.Pulled{Nodes: rollout.Nodes{"one": true}, Late: map[string]string{}}, got); diff != "" {
		t.Errorf("nodes with the image (-want +got): %s", diff)
	}
	if diff := cmp.Diff(got, p.Pulled(osm, image.Reference)); diff != "" {
		t.Errorf("known about the image (-want +got): %s", diff)
	}
	// A node that has not pulled the image gets no slot with it, however long that takes. It may pull it later.
	c.set("two", func(s *corev1.PodStatus) {
		s.InitContainerStatuses = []corev1.ContainerStatus{{Name: pullContainer, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}}
	})
	c.pass(Timeout)
	if got := c.ask(p, nodes...); !contains(got.Late["two"], "within 2m0s (ImagePullBackOff)") || !contains(got.Late["three"], "exit code 132") || p.Unusable(image.Reference) != "" {
		t.Errorf("after its time: %+v, unusable because %q", got, p.Unusable(image.Reference))
	}
	c.end("two", 0)
	c.pass(poll)
	if got := c.ask(p, nodes...); !got.Nodes["two"] || got.Late["two"] != "" {
		t.Errorf("later: %+v", got)
	}
}

// TestAnotherImageHasItsOwnPods changes the image. The pods of the earlier one are deleted.
func TestAnotherImageHasItsOwnPods(t *testing.T) {
	c, p := newCluster(t, "one")
	c.ask(p, "one")
	before := c.pods()["one"]
	c.end("one", 0)
	c.pass(2 * time.Second)
	c.ask(p, "one")
	r := request("one")
	r.Reference = "envoy:3"
	if got, err := p.Nodes(t.Context(), osm, r); err != nil || got.Nodes == nil || len(got.Nodes) > 0 {
		t.Errorf("known is %+v, %v, want no node", got, err)
	}
	if after := c.pods(); len(after) != 1 || after["one"].Name == before.Name {
		t.Errorf("%d pods are left, want that of the other image", len(after))
	}
}

// TestPodsOfUnneededNodesAreDeleted has nodes whose pods have got the image, and one that is gone.
func TestPodsOfUnneededNodesAreDeleted(t *testing.T) {
	c, p := newCluster(t, "one", "two", "three")
	c.ask(p, "one", "two", "three")
	c.end("one", 0)
	c.end("two", 139)
	delete(c.ready, "three")
	c.pass(2 * time.Second)
	if got := c.ask(p, "two", "three"); !contains(got.Late["three"], "gone") {
		t.Errorf("known is %+v", got)
	}
	if got := c.asked(); !slices.Equal(got, []string{"two"}) {
		t.Errorf("%q have pods", got)
	}
	// What has run before is not forgotten with its pod.
	c.pass(time.Hour)
	c.ask(p, "two")
	if reason := p.Unusable(image.Reference); reason != "" {
		t.Errorf("one node of two decides: %s", reason)
	}
}

// An operator that starts in the middle knows what the pods say, and asks no node twice.
func TestRestartedOperatorGoesOn(t *testing.T) {
	c, p := newCluster(t, "one", "two", "three")
	c.ask(p, "one", "two")
	c.end("one", 0)
	c.pass(Timeout + time.Second)
	got := c.ask(c.newPuller(), "one", "two", "three")
	if !got.Nodes["one"] || !contains(got.Late["two"], "within 2m0s") || got.Late["three"] != "" {
		t.Errorf("known is %+v", got)
	}
	if got := c.asked(); len(got) != 3 {
		t.Errorf("%q have pods", got)
	}
}

// TestFailingImageIsNotUsedAfterItsTime has a node that fails, and one that is late. An operator that starts then knows no earlier trial.
func TestFailingImageIsNotUsedAfterItsTime(t *testing.T) {
	c, p := newCluster(t, "one", "two")
	c.ask(p, "one", "two")
	c.end("one", 132)
	c.pass(2 * time.Second)
	c.ask(p, "one", "two")
	if reason := p.Unusable(image.Reference); reason != "" {
		t.Errorf("while a node pulls: %s", reason)
	}
	c.pass(Timeout)
	restarted := c.newPuller()
	if got := c.ask(restarted, "one", "two"); len(got.Nodes) > 0 || !contains(restarted.Unusable(image.Reference), "exit code 132 on the node one") {
		t.Errorf("known is %+v, unusable because %q", got, restarted.Unusable(image.Reference))
	}
	c.pass(Memory)
	if reason := restarted.Unusable(image.Reference); reason != "" {
		t.Errorf("a tag is never tried again: %s", reason)
	}
}

// TestRejectedPodHoldsUpItsNodeOnly has a policy that rejects the pod of a node.
func TestRejectedPodHoldsUpItsNodeOnly(t *testing.T) {
	c, p := newCluster(t, "one", "two")
	c.denied["one"] = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "osm-pull", errors.New("exceeded quota"))
	got, err := p.Nodes(t.Context(), osm, request("one", "two"))
	if err == nil || !contains(err.Error(), "exceeded quota", "on the node one", names.PullLabel, `spec.upgrade.dataPlane.pull.mode of the Mesh to "Off"`) {
		t.Errorf("the error is %v", err)
	}
	if !contains(got.Late["one"], "exceeded quota") || got.Late["two"] != "" || !slices.Equal(c.asked(), []string{"two"}) {
		t.Errorf("known is %+v, and %q were asked", got, c.asked())
	}
	delete(c.denied, "one")
	c.end("two", 0)
	c.pass(poll)
	if got := c.ask(p, "one", "two"); !got.Nodes["two"] || got.Late["one"] != "" || len(c.asked()) != 2 {
		t.Errorf("when it is permitted: %+v", got)
	}
}

// TestBusyAPIServerIsWaitedFor has an API server that answers nothing for a while, and then too long.
func TestBusyAPIServerIsWaitedFor(t *testing.T) {
	c, p := newCluster(t, "one")
	c.denied["one"] = apierrors.NewTooManyRequests("busy", 1)
	for range 5 {
		if got, err := p.Nodes(t.Context(), osm, request("one")); len(got.Late) > 0 || c.now.Equal(noon) && err == nil {
			t.Errorf("after %s: %+v, %v", c.now.Sub(noon), got, err)
		}
		c.pass(20 * time.Second)
	}
	c.pass(time.Minute)
	if got, _ := p.Nodes(t.Context(), osm, request("one")); !contains(got.Late["one"], "busy") {
		t.Errorf("after %s: %+v", c.now.Sub(noon), got)
	}
}

// TestEvictedPodIsReplaced ends a pod on its node. It does not make the node wait longer.
func TestEvictedPodIsReplaced(t *testing.T) {
	c, p := newCluster(t, "one")
	c.ask(p, "one")
	c.set("one", func(s *corev1.PodStatus) { s.Phase, s.Reason = corev1.PodFailed, "Evicted" })
	c.pass(Timeout + time.Second)
	if got := c.ask(p, "one"); !contains(got.Late["one"], "was ended: Evicted") || len(c.asked()) > 0 {
		t.Errorf("known is %+v, %q have pods", got, c.asked())
	}
	c.pass(poll)
	if got := c.ask(p, "one"); got.Late["one"] == "" || len(c.asked()) != 1 {
		t.Errorf("again: %+v, %q have pods", got, c.asked())
	}
	c.end("one", 0)
	c.pass(poll)
	if got := c.ask(p, "one"); !got.Nodes["one"] {
		t.Errorf("at last: %+v", got)
	}
}

// TestEndDeletesWhatPulls includes the DaemonSet of an earlier operator, whose pods the API server deletes with it.
func TestEndDeletesWhatPulls(t *testing.T) {
	c, p := newCluster(t, "one")
	label := map[string]string{names.PullLabel: osm.Name}
	unmanaged := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: image.Namespace, Name: "osm-pull-mine"}}
	earlier := func() *appsv1.DaemonSet {
		return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: image.Namespace, Name: "osm-pull-0123456789", Labels: label}}
	}
	for _, set := range []*appsv1.DaemonSet{unmanaged, earlier()} {
		if err := c.Create(t.Context(), set); err != nil {
			t.Fatal(err)
		}
	}
	c.ask(p, "one")
	if got := c.daemonSets(); got != 1 {
		t.Errorf("%d DaemonSets are left, want the unmanaged one", got)
	}
	if err := c.Create(t.Context(), earlier()); err != nil {
		t.Fatal(err)
	}
	before := c.lists
	for range 3 {
		if err := p.End(t.Context(), osm, image.Namespace); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.Pulled(osm, image.Reference); got.Nodes != nil {
		t.Errorf("after the end, %+v is known", got)
	}
	if got := c.lists - before; got != 1 {
		t.Errorf("%d lists, want one", got)
	}
	if sets, pods := c.daemonSets(), c.asked(); sets != 1 || len(pods) > 0 {
		t.Errorf("%d DaemonSets are left, want the unmanaged one, and the pods of %q", sets, pods)
	}
}

// TestReadsAreBounded keeps a mesh from listing the pods in each of its reconciliations: rarely if it waits for no node in time, and more rarely the more pods there are.
func TestReadsAreBounded(t *testing.T) {
	for name, test := range map[string]struct {
		nodes, pull int
		late        bool
		most        int
	}{
		"ten nodes in time":     {10, 10, false, 29},
		"many in time":          {150, 150, false, 8},
		"one node that is late": {1, 1, true, 1},
		"many that are late":    {50, 50, true, 1},
	} {
		nodes := numbered("n", test.nodes)
		c, p := newCluster(t, nodes...)
		r := request(nodes...)
		r.Parallelism = test.pull
		observe := func() {
			t.Helper()
			if _, err := p.Nodes(t.Context(), osm, r); err != nil {
				t.Fatal(err)
			}
		}
		observe()
		c.pass(time.Minute)
		if test.late {
			c.pass(Timeout)
		}
		before := c.lists
		for range 29 {
			observe()
			c.pass(time.Second)
		}
		if got := c.lists - before; got > test.most || got == 0 {
			t.Errorf("%s: the pods were listed %d times in 29 seconds, want at most %d", name, got, test.most)
		}
	}
}

// TestManyNodesPullInTurn has 60 nodes, and lets ten of them pull at the same time.
func TestManyNodesPullInTurn(t *testing.T) {
	nodes := numbered("n", 60)
	c, p := newCluster(t, nodes...)
	done := map[string]bool{}
	for step := 0; len(done) < len(nodes); step++ {
		if step > 200 {
			t.Fatalf("only %d nodes have the image", len(done))
		}
		c.ask(p, nodes...)
		pulling := 0
		for _, node := range c.asked() {
			if !done[node] {
				pulling++
				c.end(node, 0)
				done[node] = true
			}
		}
		if pulling > 10 {
			t.Fatal(fmt.Sprint(pulling, " nodes pull at the same time"))
		}
		c.pass(8 * time.Second)
	}
}
