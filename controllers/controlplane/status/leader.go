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
)

// Leader holds the Lease that lets one replica of the control plane write status. Losing it stops the writing and nothing
// else: xDS goes on.
type Leader struct {
	leading atomic.Bool
	// gained is told each time the Lease is won, so that everything is looked at again.
	gained []chan<- struct{}
}

// Leading says whether this replica holds the Lease.
func (l *Leader) Leading() bool { return l.leading.Load() }

// Notify asks for a word on c each time this replica begins to lead. Call it before Run.
func (l *Leader) Notify(c chan<- struct{}) { l.gained = append(l.gained, c) }

// Run contends for the Lease until ctx ends.
func (l *Leader) Run(ctx context.Context, clients kubernetes.Interface, namespace, replica string, log logr.Logger) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: "osm-controller-status"},
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
				log.Info("writes the status of policies now")
				l.leading.Store(true)
				for _, c := range l.gained {
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
