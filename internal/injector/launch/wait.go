package launch

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// readyPath is where the sidecar answers once it has accepted its first configuration.
const readyPath = "/ready"

// Wait returns once one of the slots of the pod serves.
func Wait(ctx context.Context) error {
	return waitFor(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(names.ReadyPort)), time.Second/4)
}

func waitFor(ctx context.Context, address string, poll time.Duration) error {
	for {
		if status, _, err := get("tcp", address, readyPath); err == nil && status == 200 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the sidecar has not become ready: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
}
