package upgrade

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// fleetDeployments is how many Deployments there are besides buyer and cart, and fleetReplicas how many pods each has: 60 sidecars in all.
	fleetDeployments, fleetReplicas = 29, 2
	// fleetLimit is the time limit for the start of these pods.
	fleetLimit = 8 * time.Minute
)

// A patched Envoy reaches 60 sidecars through the gates, in waves, without a restart. No request fails, and no connection is cut. The log says how long it took.
func TestPatchedEnvoyReachesSixtySidecars(t *testing.T) {
	lab.RequireFull(t)
	requireLocalImages(t)
	cluster.Record(t, "a patched Envoy reaches 60 sidecars through the gates")
	first, second := currentEnvoy(t), loadEnvoy(t, "patched", patched)
	m := newMesh(t, "fleet", cluster.Version)
	m.change(fmt.Sprintf(`{"version":%q,"upgrade":{"dataPlane":{"restart":"InPlace"}},"sidecar":{"image":%q,"resources":{"requests":{"cpu":"1m","memory":"16Mi"}}}}`, cluster.Version, first))
	m.awaitInjector("--in-place=true")
	m.awaitResult(v1alpha1.ResultSucceeded, cluster.Version, cluster.Version)
	s := deployCart(t, m)
	s.deployFleet()
	requests, err := s.agent(buyer).StartRequests(t.Context(), s.url(cart), "--rate", "100", "--most", "100", "--timeout", requestTimeout)
	lab.Must(t, err)
	sessions := s.startSessions(3, 200*time.Millisecond)
	before := s.fleet(t.Context())

	edited := time.Now()
	m.change(fmt.Sprintf(`{"version":%q,"sidecar":{"image":%q}}`, cluster.Version, second))
	reached := time.Duration(0)
	lab.Eventually(t, 2*upgradeLimit, "all sidecars have the patched Envoy", func(ctx context.Context) (bool, string, error) {
		pods := s.fleet(ctx)
		with := len(slices.DeleteFunc(pods, func(p corev1.Pod) bool { return !slices.Contains(slotImages(p), second) }))
		reached = time.Since(edited)
		return with == len(before), fmt.Sprintf("%d of %d", with, len(before)), nil
	})
	entry := m.awaitResult(v1alpha1.ResultSucceeded, cluster.Version, cluster.Version)
	if cut := s.stopSessions(sessions); len(cut) > 0 {
		t.Errorf("connections were cut: %q", cut)
	}
	result, err := requests.Stop(t.Context())
	lab.Must(t, err)
	t.Logf("%d sidecars had the patched Envoy after %s, verified after %s as %s; %d requests: %v", len(before), reached.Round(time.Second),
		entry.CompletionTime.Sub(edited).Round(time.Second), entry.Revision, result.Requests, result.Outcomes)
	if result.Failed() > 0 || !result.IsRepresentative() {
		t.Errorf("requests failed: %+v", result)
	}
	for _, pod := range s.fleet(t.Context()) {
		if !slices.ContainsFunc(before, func(p corev1.Pod) bool { return p.UID == pod.UID }) || lab.ContainerStatus(pod, pod.Spec.Containers[0].Name).RestartCount > 0 {
			t.Errorf("the pod %s was replaced, or its application restarted", pod.Name)
		}
	}
}

// deployFleet deploys the other pods of the shop, and waits until all are ready.
func (s shop) deployFleet() {
	s.t.Helper()
	for i := range fleetDeployments {
		account, pod := cluster.TestPod(s.namespace, fmt.Sprintf("fleet-%d", i))
		pod.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
		lab.Must(s.t, cluster.Create(s.t.Context(), account, lab.Deployment(pod, fleetReplicas)))
	}
	lab.Eventually(s.t, fleetLimit, "all pods are ready", func(ctx context.Context) (bool, string, error) {
		pods := s.fleet(ctx)
		ready := 0
		for i := range pods {
			if isPodReady(&pods[i]) {
				ready++
			}
		}
		return ready == fleetDeployments*fleetReplicas+2, fmt.Sprintf("%d", ready), nil
	})
}

// fleet returns the pods of the shop that are not being deleted.
func (s shop) fleet(ctx context.Context) []corev1.Pod {
	s.t.Helper()
	var list corev1.PodList
	lab.Must(s.t, cluster.Client.List(ctx, &list, client.InNamespace(s.namespace), client.HasLabels{names.RevisionLabel}))
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
}
