package token

import (
	"context"
	"sync"
	"time"
)

const (
	// OutageGrace is for how long after its end a token is accepted while the API server is unavailable: no kubelet can
	// renew it then.
	OutageGrace = 24 * time.Hour
	// recoveryGrace is for how long the grace continues after the last failure, until kubelets have renewed the tokens.
	recoveryGrace = 10 * time.Minute
	// checkInterval is when an expired token must be checked again.
	checkInterval = time.Minute
	// checkPause is the minimum interval between two requests to the API server, and checkTimeout bounds one.
	checkPause   = 10 * time.Second
	checkTimeout = 5 * time.Second
)

// outage detects that the API server is unavailable.
type outage struct {
	check func(context.Context) error
	now   func() time.Time

	mu sync.Mutex
	// tried is the time of the last check, failed that of the last failure.
	tried, failed time.Time
}

// exists reports whether the API server is unavailable, or was until recently.
func (o *outage) exists(ctx context.Context) bool {
	if o.check == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tried.IsZero() || o.now().Sub(o.tried) >= checkPause {
		// The check serves all callers, so the cancellation of one must not count as a failure.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
		defer cancel()
		o.tried = o.now()
		if o.check(ctx) != nil {
			o.failed = o.now()
		}
	}
	return !o.failed.IsZero() && o.now().Sub(o.failed) < recoveryGrace
}

// Extend returns until when a token with the given expiry may be used without another check; the zero time if it may not
// be used any more.
func (v *Verifier) Extend(ctx context.Context, expiry time.Time) time.Time {
	now := v.now()
	switch {
	case now.Before(expiry.Add(leeway)):
		return expiry
	case now.Before(expiry.Add(OutageGrace)) && v.outage.exists(ctx):
		return now.Add(checkInterval)
	}
	return time.Time{}
}

// readinessPath fails while the API server cannot read its storage. Everybody may read it by default.
const readinessPath = "/readyz"

// Check returns why the API server is not ready, or nil.
func (a *APIServer) Check(ctx context.Context) error {
	return a.client.Get().AbsPath(readinessPath).Do(ctx).Error()
}
