package journeys

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

func TestIPv6FollowsSamePoliciesAsIPv4(t *testing.T) {
	t.Parallel()
	s := sharedFixture(t)
	service := ipv6(t, s.server.clusterIPs(t))
	pod := ipv6(t, s.server.ips(t))
	url := "http://[" + service + "]:8080/books"
	t.Run("the server's sidecar identifies the client", func(t *testing.T) {
		result := s.friend.expect(t, url, "200")
		for peer := range result.Peers {
			if peer != "127.0.0.1" && peer != "::1" {
				t.Errorf("the application was called by %s, want its sidecar", peer)
			}
		}
		s.boss.expect(t, url, "403")
	})
	t.Run("denied without a policy", func(t *testing.T) { s.stranger.expect(t, url, report.Reset) })
	t.Run("denied with a policy for another server", func(t *testing.T) { s.neighbour.expect(t, url, report.Reset) })
	t.Run("a pod address does not bypass policies", func(t *testing.T) {
		s.stranger.expect(t, "http://["+pod+"]:8080/books", report.Reset)
	})
	t.Run("pod of a headless Service", func(t *testing.T) {
		var headless corev1.Service
		lab.Must(t, cluster.Client.Get(t.Context(), client.ObjectKey{Namespace: s.server.namespace, Name: "pods"}, &headless))
		lab.Eventually(t, policyLimit, "friend calls the pod by its IPv6 address", func(ctx context.Context) (bool, string, error) {
			result, err := s.friend.Requests(ctx, "http://["+pod+"]:8080/books")
			if err != nil {
				return false, "", err
			}
			return result.Outcomes["200"] == 1, "", nil
		})
	})
}
