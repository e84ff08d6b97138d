package health

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// podReader lists fixed pods.
type podReader struct {
	kube.Reader
	pods []corev1.Pod
}

func (r podReader) List(_ context.Context, list kube.ObjectList, _ ...kube.ListOption) error {
	list.(*corev1.PodList).Items = append([]corev1.Pod{}, r.pods...)
	return nil
}

// A canary that is promoted has pods with and without suffix.
func TestPodsOfSuffixes(t *testing.T) {
	pod := func(name, app string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.AppLabel: app}},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}},
		}
	}
	cluster := podReader{pods: []corev1.Pod{
		pod("active", "osm-controller"), pod("active-injector", "osm-injector"),
		pod("canary", "osm-controller-v0-2-0"), pod("canary-injector", "osm-injector-v0-2-0"), pod("foreign", "osm-controller-v0-1-9"),
	}}
	for name, c := range map[string]struct {
		suffixes []string
		want     []string
	}{
		"active":   {nil, []string{"active"}},
		"canary":   {[]string{"v0-2-0"}, []string{"canary"}},
		"promoted": {[]string{"", "v0-2-0"}, []string{"active", "canary"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := Target{Suffixes: c.suffixes}
			reader := &Reader{Pods: cluster}
			pods, err := reader.pods(t.Context(), target)
			if err != nil || len(pods) != 2*len(c.want) {
				t.Fatalf("%d pods (%v), want a controller and an injector for each of %v", len(pods), err, c.want)
			}
			var got []string
			for _, replica := range replicasOf(pods, target.apps(names.Controller)) {
				got = append(got, replica.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
