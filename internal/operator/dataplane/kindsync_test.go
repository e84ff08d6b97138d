package dataplane

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/controller/controllertest"
)

// syncingWatches watch a kind that is served, whose objects arrive after some time; never for 0. It returns the cache, too.
func syncingWatches(after time.Duration) (*kindWatches, *informerCache) {
	objects := &informerCache{informer: controllertest.NewFakeInformer()}
	if after > 0 {
		time.AfterFunc(after, objects.informer.Synced)
	}
	return newKindWatches(objects, servedKinds{"argoproj.io/v1alpha1": {"Rollout"}}, nil, time.Now), objects
}

// ensured returns how long ensure waits, and its error.
func ensured(t *testing.T, w *kindWatches) (time.Duration, error) {
	begin := time.Now()
	err := w.ensure(t.Context(), rolloutKind, discoveryPeriod)
	return time.Since(begin), err
}

// Without the permission to list a kind, its objects never arrive. Only the first look waits for them: each reconciliation looks at all kinds.
func TestObjectsThatNeverArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, objects := syncingWatches(0)
		for _, want := range []time.Duration{syncTimeout, 0} {
			waited, err := ensured(t, w)
			var unread *unreadError
			if !errors.As(err, &unread) || !errors.Is(err, errNotSynced) || waited != want {
				t.Errorf("after %s the error is %v, want %v after %s", waited, err, errNotSynced, want)
			}
		}
		if objects.begun != 1 {
			t.Errorf("%d watches began, want 1", objects.begun)
		}
	})
}

// An operator that has just started waits until it has the objects.
func TestObjectsThatArriveLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := syncingWatches(time.Second)
		if waited, err := ensured(t, w); err != nil || waited < time.Second || waited > 2*time.Second {
			t.Errorf("after %s the error is %v, want none after a second", waited, err)
		}
	})
}
