package dataplane

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// pagedPods is an API server with pages of pods.
type pagedPods struct {
	client.Reader
	pages [][]corev1.Pod
	asked []client.ListOptions
}

func (p *pagedPods) List(_ context.Context, list client.ObjectList, o ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(o)
	p.asked = append(p.asked, *options)
	page, _ := strconv.Atoi(options.Continue)
	if page >= len(p.pages) || len(p.asked) > len(p.pages) {
		return errors.New("there is no such page")
	}
	pods := list.(*corev1.PodList)
	if pods.Items = p.pages[page]; page+1 < len(p.pages) {
		pods.Continue = strconv.Itoa(page + 1)
	}
	return nil
}

// livePlane returns a Plane whose API server has two pages of pods: two with a sidecar of the operator, one with a sidecar of an Open Service Mesh, one
// without a sidecar, one that has failed and one of another mesh.
func livePlane() (*Plane, *pagedPods) {
	fromOSM := func(p *corev1.Pod) {
		p.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: names.SidecarContainer}}}
	}
	without := func(p *corev1.Pod) { p.Spec = corev1.PodSpec{} }
	failed := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	elsewhere := func(p *corev1.Pod) { p.Namespace = "other" }
	live := &pagedPods{pages: [][]corev1.Pod{
		{pod("web", "osm-v0-2-0", "", ""), pod("bare", "osm-v0-2-0", "", "", without), pod("osm", "", "", "", fromOSM)},
		{pod("failed", "osm-v0-2-0", "", "", failed), pod("api", "osm-v0-2-0", "", ""), pod("far", "osm-v0-2-0", "", "", elsewhere)},
	}}
	plane := planeOf(namespace("shop", "osm"), namespace("other", "other"))
	plane.live = live
	return plane, live
}

// A removal reads all pages: a pod that it misses loses its control plane.
func TestLivePodsAreReadPageByPage(t *testing.T) {
	for name, test := range map[string]struct {
		list func(*Plane) ([]rollout.Ref, error)
		want []string
	}{
		"all": {func(p *Plane) ([]rollout.Ref, error) { return p.LiveSidecarPods(t.Context(), "osm") }, []string{"api", "osm", "web"}},
		"own": {func(p *Plane) ([]rollout.Ref, error) { return p.LiveOwnSidecarPods(t.Context(), "osm") }, []string{"api", "web"}},
	} {
		plane, live := livePlane()
		refs, err := test.list(plane)
		var got []string
		for _, ref := range refs {
			got = append(got, ref.Name)
		}
		if err != nil || !slices.Equal(got, test.want) || len(live.asked) != 2 {
			t.Fatalf("%s: the pods are %q (%v) after %d pages, want %q after 2", name, got, err, len(live.asked), test.want)
		}
		for page, asked := range live.asked {
			if asked.Limit != podPage || asked.Continue != []string{"", "1"}[page] || asked.LabelSelector.String() != names.ProxyUUIDLabel ||
				asked.FieldSelector.String() != "status.phase!=Succeeded,status.phase!=Failed" {
				t.Errorf("%s: page %d was asked for with %+v", name, page, asked)
			}
		}
	}
}

// A removal that takes a failed list for an empty one removes the control plane of pods that need it.
func TestSidecarPodsThatCannotBeListed(t *testing.T) {
	plane, live := livePlane()
	live.pages = nil
	failAt(plane, "*v1.PodList", 0, errors.New("no connection"))
	_, cached := plane.SidecarPods(t.Context(), "osm")
	_, all := plane.LiveSidecarPods(t.Context(), "osm")
	_, own := plane.LiveOwnSidecarPods(t.Context(), "osm")
	_, running := plane.RunningSidecars(t.Context(), "osm")
	for name, err := range map[string]error{"SidecarPods": cached, "LiveSidecarPods": all, "LiveOwnSidecarPods": own, "RunningSidecars": running} {
		if err == nil || !strings.Contains(err.Error(), "the pods with sidecars cannot be listed") {
			t.Errorf("the error of %s is %v", name, err)
		}
	}
}

// Failed pods stay in the cluster, and need no control plane.
func TestPodsInTheCacheAreSorted(t *testing.T) {
	failed := pod("c", "osm-v0-2-0", "", "", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
	a, b := pod("a", "osm-v0-2-0", "", ""), pod("b", "osm-v0-2-0", "", "")
	plane := planeOf(namespace("shop", "osm"), &a, &b, &failed)
	plane.cache = reversedCache{plane.cache}
	left, err := plane.SidecarPods(t.Context(), "osm")
	if err != nil || len(left) != 2 || left[0].Name != "a" || left[1].Name != "b" {
		t.Errorf("the pods are %v (%v), want a and b", left, err)
	}
	running, err := plane.RunningSidecars(t.Context(), "osm")
	if err != nil || len(running) != 2 || running[0].Name != "shop/a" || running[1].Name != "shop/b" {
		t.Errorf("the running pods are %v (%v), want a and b", running, err)
	}
}
