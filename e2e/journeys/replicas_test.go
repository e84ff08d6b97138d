package journeys

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// controllers returns the pods of the control plane that are not terminating.
func controllers(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := cluster.Client.List(ctx, &pods, client.InNamespace(names.DefaultNamespace), client.MatchingLabels{names.AppLabel: names.Controller}); err != nil {
		return nil, err
	}
	var alive []corev1.Pod
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil {
			alive = append(alive, pod)
		}
	}
	return alive, nil
}

// Each replica is deleted once, so each of them serves all sidecars at some time.
func testReplicaLoss(t *testing.T) {
	s := sharedFixture(t)
	before, err := controllers(t.Context())
	lab.Must(t, err)
	if len(before) != 2 {
		t.Fatalf("the control plane has %d replicas, want 2", len(before))
	}
	load, err := s.friend.StartRequests(t.Context(), s.server.url("/books"), "--rate", "50")
	lab.Must(t, err)
	for i := range before {
		lab.Must(t, cluster.Client.Delete(t.Context(), &before[i]))
		policy := grant{namespace: s.server.namespace, name: fmt.Sprintf("loss-%d", i), destination: "server", source: s.guest.namespace + "/guest", rules: []string{"paths:guests"}}.String()
		applyPolicies(t, policy)
		s.guest.expectWithin(t, 20*time.Second, s.server.url("/guests"), "200")
		deletePolicies(t, policy)
		s.guest.expectWithin(t, 20*time.Second, s.server.url("/guests"), report.Reset)
		lab.Eventually(t, 90*time.Second, "two ready replicas", func(ctx context.Context) (bool, string, error) {
			now, err := controllers(ctx)
			if err != nil {
				return false, "", err
			}
			ready := 0
			for i := range now {
				if lab.IsReady(&now[i]) {
					ready++
				}
			}
			return ready == 2 && len(now) == 2, fmt.Sprintf("%d of %d ready", ready, len(now)), nil
		})
	}
	result, err := load.Stop(t.Context())
	lab.Must(t, err)
	requireNoFailures(t, result, 100)
}
