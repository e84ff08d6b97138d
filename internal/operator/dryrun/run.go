package dryrun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// maxRounds limits a run. A round is an upgrade step, a wave of restarts, or a wait.
	maxRounds = 1000
	// maxIdleRounds limits how many successive rounds may change nothing. The wait between them doubles.
	maxIdleRounds = 16
	// horizon is how far ahead a requeue counts. Later ones, such as the renewal of a certificate, do not prolong a run.
	horizon = 12 * time.Hour
)

// ErrTooManyRounds means that a run ended while controllers still made changes.
var ErrTooManyRounds = errors.New("the dry run did not finish")

// Controller is one controller of a run.
type Controller struct {
	Name string
	// Requests lists the objects that the controller reconciles.
	Requests func(ctx context.Context) ([]reconcile.Request, error)
	// Reconcile reconciles one object. A RequeueAfter within the horizon prolongs the run.
	Reconcile reconcile.Func
}

// Run reconciles the controllers in turn, completes a round with finish, and repeats until a round changes nothing and no controller
// has a requeue. stop, which is called after a round without changes, ends the run earlier. The first returned error joins the
// failures of the last round, which a controller would retry; the second one is a failure of the dry run itself.
func (c *Cluster) Run(ctx context.Context, finish func(context.Context) error, stop func(context.Context) (bool, error),
	controllers ...Controller,
) (failed, err error) {
	idle, wait := 0, time.Second
	for range maxRounds {
		before := c.writes
		requeue, failed, err := round(ctx, finish, controllers)
		if err != nil {
			return nil, err
		}
		if c.writes != before {
			idle, wait = 0, time.Second
			c.AdvanceClock(wait)
			continue
		}
		idle++
		stopped, err := stop(ctx)
		if err != nil || stopped || failed != nil || requeue == 0 || idle >= maxIdleRounds {
			return failed, err
		}
		wait = min(2*wait, horizon)
		c.AdvanceClock(max(wait, requeue))
	}
	return nil, fmt.Errorf("%w after %d rounds", ErrTooManyRounds, maxRounds)
}

// round reconciles every object once. It returns the earliest requeue within the horizon, or zero. A terminal error is no failure of the
// round: no retry can cure it, and the conditions of the Mesh report it.
func round(ctx context.Context, finish func(context.Context) error, controllers []Controller) (requeue time.Duration, failed, err error) {
	for _, controller := range controllers {
		requests, err := controller.Requests(ctx)
		if err != nil {
			return 0, nil, err
		}
		for _, request := range requests {
			result, err := controller.Reconcile(ctx, request)
			if errors.Is(err, reconcile.TerminalError(nil)) {
				continue
			}
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s %s: %w", controller.Name, request.Name, err))
			}
			if after := result.RequeueAfter; after > 0 && after <= horizon && (requeue == 0 || after < requeue) {
				requeue = after
			}
		}
	}
	return requeue, failed, finish(ctx)
}
