package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// Pods of the last recorded version have no slots. They are restarted in waves once, and after that their sidecars are upgraded in place.
func TestPodsOfTheRecordedVersionGetSlots(t *testing.T) {
	lab.RequireFull(t)
	requireLocalImages(t)
	second := loadEnvoy(t, "patched", patched)
	m := newMesh(t, "recorded", cluster.Earlier)
	m.change(`{"upgrade":{"dataPlane":{"restart":"InPlace"}}}`)
	s := shop{t, m, m.shop()}
	lab.Must(t, cluster.CreateNamespace(t.Context(), s.namespace, m.name))
	t.Cleanup(s.close)
	lab.Must(t, cluster.Put(t.Context(), fmt.Sprintf(policies, s.namespace, store)))
	account, pod := cluster.TestPod(s.namespace, buyer)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	s.deploy(store, 2, nil)
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, s.namespace))
	s.awaitReachable(s.agent(buyer), store)
	requests, err := s.agent(buyer).StartRequests(t.Context(), s.url(store), "--rate", "100", "--most", "100", "--timeout", requestTimeout)
	lab.Must(t, err)

	m.change(`{"version":"` + cluster.Version + `"}`)
	m.awaitResult(v1alpha1.ResultSucceeded, cluster.Earlier, cluster.Version)
	restarted := s.podsOf(store)
	m.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, second))
	lab.Eventually(t, upgradeLimit, "the new Envoy serves in all pods that were restarted", func(context.Context) (bool, string, error) {
		var images []string
		for _, pod := range s.podsOf(store) {
			images = append(images, slotImages(pod)...)
		}
		done := len(images) == 2*len(restarted) && !slices.ContainsFunc(images, func(image string) bool { return image != second })
		return done, strings.Join(images, ", "), nil
	})
	for i, pod := range s.podsOf(store) {
		if pod.UID != restarted[i].UID || lab.ContainerStatus(pod, pod.Spec.Containers[0].Name).RestartCount > 0 {
			t.Errorf("the pod %s was replaced, or its application restarted", pod.Name)
		}
	}
	result, err := requests.Stop(t.Context())
	lab.Must(t, err)
	t.Logf("%d requests: %v", result.Requests, result.Outcomes)
	if result.Failed() > 0 || !result.IsRepresentative() {
		t.Errorf("requests failed: %+v", result)
	}
}

// podsOf returns the pods of an app that are not being deleted, by name.
func (s shop) podsOf(app string) []corev1.Pod {
	s.t.Helper()
	var list corev1.PodList
	lab.Must(s.t, cluster.Client.List(s.t.Context(), &list, client.InNamespace(s.namespace), client.MatchingLabels{lab.AppLabel: app}))
	pods := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}
