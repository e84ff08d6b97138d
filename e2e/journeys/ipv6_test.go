package journeys

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

func TestIPv6IsCapturedAndJudgedAsIPv4(t *testing.T) {
	t.Parallel()
	s := theStage(t)
	_, service := s.server.clusterIPs(t)
	_, pod := s.server.ips(t)
	url := "http://[" + service + "]:8080/books"
	t.Run("the server's sidecar knows the client", func(t *testing.T) {
		result := s.friend.gets(t, url, "200")
		for peer := range result.Peers {
			if peer != "127.0.0.1" && peer != "::1" {
				t.Errorf("the application was called by %s and not by its sidecar", peer)
			}
		}
		s.boss.gets(t, url, "403")
	})
	t.Run("denied without a policy", func(t *testing.T) { s.stranger.gets(t, url, report.Refused) })
	t.Run("denied with a policy elsewhere", func(t *testing.T) { s.neighbour.gets(t, url, report.Reset) })
	t.Run("a pod's own address is no way around", func(t *testing.T) {
		s.stranger.gets(t, "http://["+pod+"]:8080/books", report.Refused)
	})
	t.Run("pod of a headless Service", func(t *testing.T) {
		var headless corev1.Service
		must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: s.server.namespace, Name: "pods"}, &headless))
		eventually(t, policyLimit, "friend calls the pod by its IPv6 address", func(ctx context.Context) (bool, string, error) {
			result, err := s.friend.Requests(ctx, "http://["+pod+"]:8080/books")
			if err != nil {
				return false, "", err
			}
			return result.Outcomes["200"] == 1, "", nil
		})
	})
}
