package operator

import (
	"context"
	"fmt"
	"net/http"

	"github.com/openservicemesh/osm-operator/internal/platform/health"
)

// probes answers the kubelet. Other pods can reach its port too, so its clients have limits.
type probes struct{ address string }

// NeedLeaderElection implements manager.LeaderElectionRunnable. Each replica is probed.
func (probes) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (p probes) Start(ctx context.Context) error {
	mux := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	}
	return health.Serve(ctx, health.Config{Address: p.address, Handler: mux, OnClosed: func() {}})
}
