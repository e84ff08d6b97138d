package controlplane

import (
	"context"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// Two control planes of one mesh have one writer of status, because a canary never competes for the Lease.
func TestWriteStatus_OnlyActiveControlPlaneCompetes(t *testing.T) {
	for _, c := range []struct {
		name       string
		contending bool
	}{
		{"active", true},
		{"canary", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clients := fake.NewClientset()
			plane := &ControlPlane{
				config: Config{Namespace: "osm-system", PodName: "osm-controller-0", WriteStatus: c.contending},
				api:    apiServer{clients: clients}, log: logging.New("error"),
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- plane.lead(ctx, ctx, &status.Leader{}) }()
			if c.contending {
				for getLease(t, clients) == nil {
					select {
					case err := <-ended:
						t.Fatalf("lead returned before it had the Lease: %v", err)
					case <-time.After(10 * time.Millisecond):
					}
				}
				stop()
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if asked := len(clients.Actions()) > 0; asked != c.contending {
				t.Errorf("unexpected requests to the API server: %v", clients.Actions())
			}
		})
	}
}

// getLease returns the Lease of the status writer, or nil if it is not held.
func getLease(t *testing.T, clients *fake.Clientset) *coordinationv1.Lease {
	t.Helper()
	list, err := clients.CoordinationV1().Leases("osm-system").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Items) == 0 {
		return nil
	}
	return &list.Items[0]
}
