package restart

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

const (
	// parallel is how many objects are changed at the same time.
	parallel = 8
	// beginPeriod is how long a pass begins changes. The next pass makes the others, after it has observed the mesh and evaluated the gates again.
	beginPeriod = 2 * time.Second
	// passTimeout is how long a pass takes at most. API servers wait 10 seconds for an admission webhook by default, and then deny the change or make it: a
	// change that has begun must not be canceled before.
	passTimeout = beginPeriod + 10*time.Second
	// retryUnreached is how soon the next pass follows on one that did not begin all changes.
	retryUnreached = time.Second
)

// errUnreached is the result of a change that the next pass makes.
var errUnreached = errors.New("the change has not begun")

// change is a change of a workload, or of one pod of it.
type change struct {
	workload rollout.Ref
	pod      string
	apply    func(context.Context) error
	// done notes that the change was made.
	done func()
}

// apply makes changes and notes their results. what is what each does to its workload. It returns how long to wait before the mesh is observed again.
func (r *Restarter) apply(ctx context.Context, mesh *v1alpha1.Mesh, wave rollout.Wave, what string, changes []change) (time.Duration, error) {
	results := applyAll(ctx, changes)
	for i, c := range changes {
		if results[i] == nil {
			r.forget(mesh, c.workload)
			c.done()
		}
	}
	again, failed := time.Duration(0), map[rollout.Ref]bool{}
	for i, c := range changes {
		switch err := results[i]; {
		case err == nil:
		case ctx.Err() != nil:
			return again, err
		case errors.Is(err, errUnreached):
			again = soonest(again, retryUnreached)
		case isOutdated(err):
			again = soonest(again, retryChanged)
		case !failed[c.workload]:
			failed[c.workload] = true
			again = soonest(again, r.fail(ctx, mesh, wave, c, what, err))
		}
	}
	return again, nil
}

// applyAll makes changes in parallel, begun in their order, and returns the result of each. After a failure no other change of the workload begins.
func applyAll(ctx context.Context, changes []change) []error {
	pass, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	beginning, end := context.WithTimeout(pass, beginPeriod)
	defer end()
	results := make([]error, len(changes))
	var failed sync.Map
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, c := range changes {
		group.Go(func() error {
			if _, found := failed.Load(c.workload); found || beginning.Err() != nil {
				results[i] = errUnreached
				return nil
			}
			results[i] = withCause(pass, c.apply(pass))
			if results[i] != nil && !isOutdated(results[i]) {
				failed.Store(c.workload, true)
			}
			return nil
		})
	}
	_ = group.Wait() // each change has its own result
	return results
}

// withCause adds why a change was canceled by the end of its pass.
func withCause(pass context.Context, err error) error {
	if err == nil || !errors.Is(pass.Err(), context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("there was no answer within %s, for example because an admission webhook is slow: %w", passTimeout, err)
}

// isOutdated reports whether an object has changed since it was observed, or is gone.
func isOutdated(err error) bool { return apierrors.IsConflict(err) || apierrors.IsNotFound(err) }
