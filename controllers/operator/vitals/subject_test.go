package vitals

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kube "sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// listed is a cluster in which only these pods are.
type listed struct {
	kube.Reader
	pods []corev1.Pod
}

func (l listed) List(_ context.Context, list kube.ObjectList, _ ...kube.ListOption) error {
	list.(*corev1.PodList).Items = append([]corev1.Pod{}, l.pods...)
	return nil
}

// While a version runs beside the mesh's own and takes that over, its pods have two names.
func TestPodsOfARole(t *testing.T) {
	pod := func(name, app string) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{names.AppLabel: app}},
			Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}},
		}
	}
	cluster := listed{pods: []corev1.Pod{
		pod("own", "osm-controller"), pod("own-injector", "osm-injector"),
		pod("beside", "osm-controller-v0-2-0"), pod("beside-injector", "osm-injector-v0-2-0"), pod("foreign", "osm-controller-v0-1-9"),
	}}
	for name, c := range map[string]struct {
		suffixes []string
		want     []string
	}{
		"the mesh's own": {nil, []string{"own"}},
		"beside":         {[]string{"v0-2-0"}, []string{"beside"}},
		"both":           {[]string{"", "v0-2-0"}, []string{"beside", "own"}},
	} {
		t.Run(name, func(t *testing.T) {
			subject := Subject{Suffixes: c.suffixes}
			reader := &Reader{Pods: cluster}
			pods, err := reader.pods(t.Context(), subject)
			if err != nil || len(pods) != 2*len(c.want) {
				t.Fatalf("%d pods (%v), want a controller and an injector for each of %v", len(pods), err, c.want)
			}
			var got []string
			for _, replica := range replicasOf(pods, subject.apps(names.Controller)) {
				got = append(got, replica.Name)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
