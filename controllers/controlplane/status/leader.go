package status

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Leader holds the Lease for writing status, which one replica of the control plane has at a time. xDS does not depend on it.
type Leader struct {
	leading atomic.Bool
	// acquired receives a value each time the Lease is acquired, after which all objects are reconciled again.
	acquired []chan<- struct{}
}

// Leading reports whether this replica holds the Lease.
func (l *Leader) Leading() bool { return l.leading.Load() }

// Notify sends a value to c each time this replica acquires the Lease. It must be called before Run.
func (l *Leader) Notify(c chan<- struct{}) { l.acquired = append(l.acquired, c) }

// Run competes for the Lease until ctx ends.
func (l *Leader) Run(ctx context.Context, clients kubernetes.Interface, namespace, replica string, log logr.Logger) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: names.StatusLease},
		Client:     clients.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: replica},
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   15 * time.Second,
		RenewDeadline:   10 * time.Second,
		RetryPeriod:     2 * time.Second,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				log.Info("acquired the Lease for policy status")
				l.leading.Store(true)
				for _, c := range l.acquired {
					select {
					case c <- struct{}{}:
					default:
					}
				}
			},
			OnStoppedLeading: func() { l.leading.Store(false) },
		},
	})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		elector.Run(ctx)
	}
	return nil
}
