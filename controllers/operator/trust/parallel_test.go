package trust

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openservicemesh/osm-operator/internal/operator/enqueue"
)

// TestHangingNamespacesDelayNoOther has 150 namespaces whose admission webhooks hang, with names that come first. All others are served within the
// time of one reconciliation, and the hanging ones are named.
func TestHangingNamespacesDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var namespaces []string
		for i := range 150 {
			namespaces = append(namespaces, fmt.Sprintf("a-%03d", i))
		}
		namespaces = append(namespaces, "z-shop")
		began, served := time.Now(), time.Time{}
		ctx, cancel := context.WithTimeout(t.Context(), enqueue.Options().ReconciliationTimeout)
		defer cancel()
		rejections := forEach(ctx, Parallel, namespaces, func(ctx context.Context, namespace string) error {
			if namespace == "z-shop" {
				served = time.Now()
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		if served.IsZero() || ctx.Err() != nil || len(rejections) != 150 || rejections[0].namespace != "a-000" {
			t.Errorf("the last namespace was served after %v, with %d rejections and the error %v", served.Sub(began), len(rejections), ctx.Err())
		}
	})
}
