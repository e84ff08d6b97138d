package controlplane

import (
	"context"
	"time"
)

// propagationDelay is how long a stopping control plane still serves, until its endpoint is removed everywhere.
const propagationDelay = 5 * time.Second

// drainContext returns a context that ends the given delay after ctx, or when cancel is called.
func drainContext(ctx context.Context, delay time.Duration) (drainCtx context.Context, cancel context.CancelFunc) {
	drainCtx, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(delay, cancel) })
	return drainCtx, cancel
}
