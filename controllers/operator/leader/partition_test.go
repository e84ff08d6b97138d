package leader

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// partitioned is a Lease whose API server does not answer while cut is true.
type partitioned struct {
	resourcelock.Interface
	cut atomic.Bool
}

func (p *partitioned) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if p.cut.Load() {
		return nil, nil, errors.New("no route to host")
	}
	return p.Interface.Get(ctx)
}

func (p *partitioned) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	if p.cut.Load() {
		return errors.New("no route to host")
	}
	return p.Interface.Update(ctx, record)
}

// replica competes for the Lease until the test ends. Its process ends when it loses the Lease, as that of the operator does.
type replica struct {
	network *partitioned
	leads   atomic.Bool
	ended   chan struct{}
	kill    context.CancelFunc
}

const (
	leaseDuration = 2 * time.Second
	renewDeadline = time.Second
	retryPeriod   = 100 * time.Millisecond
)

// startReplica starts a replica with the lock of the operator. Nothing releases the Lease, as after a crash.
func startReplica(t *testing.T, clients kubernetes.Interface, name string) *replica {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	r := &replica{ended: make(chan struct{}), kill: kill}
	r.network = &partitioned{Interface: &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: "mine", Name: "osm-operator"}, Client: clients.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: name},
	}}
	lock := &Lock{
		Interface: r.network, Log: testr.New(t), StandBy: func(Other) {}, Followed: func() {},
		Others: &Others{Client: cluster([]string{"mine"}), Namespace: "mine", Now: time.Now},
		Wait:   func(context.Context, time.Duration) error { return nil },
	}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, Name: name,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { r.leads.Store(true) }, OnStoppedLeading: func() { r.leads.Store(false) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { defer close(r.ended); elector.Run(ctx) }()
	t.Cleanup(func() { kill(); <-r.ended })
	return r
}

// becomesLeader waits until the replica leads, and fails if the other one leads at the same time.
func (r *replica) becomesLeader(t *testing.T, other *replica) time.Duration {
	t.Helper()
	begin := time.Now()
	for !r.leads.Load() {
		if time.Since(begin) > 10*leaseDuration {
			t.Fatalf("the replica does not lead after %s, want it within %s", time.Since(begin), leaseDuration)
		}
		time.Sleep(time.Millisecond)
	}
	if other != nil && other.leads.Load() {
		t.Error("two replicas lead, want one")
	}
	return time.Since(begin)
}

// TestPartitionedLeaderStops separates the leader from the API server. It stops before its Lease expires, and only then another replica leads.
func TestPartitionedLeaderStops(t *testing.T) {
	clients := fake.NewClientset()
	first := startReplica(t, clients, "first")
	first.becomesLeader(t, nil)
	second := startReplica(t, clients, "second")
	first.network.cut.Store(true)
	if took := second.becomesLeader(t, first); took < renewDeadline {
		t.Errorf("the next replica leads after %s, want the Lease of %s to expire first", took, leaseDuration)
	}
	select {
	case <-first.ended:
	default:
		t.Error("the separated leader still competes, want its process to end")
	}
}

// TestLeaseOfCrashedLeaderExpires ends a leader that cannot release its Lease.
func TestLeaseOfCrashedLeaderExpires(t *testing.T) {
	clients := fake.NewClientset()
	first := startReplica(t, clients, "first")
	first.becomesLeader(t, nil)
	first.kill()
	<-first.ended
	lease, err := clients.CoordinationV1().Leases("mine").Get(t.Context(), "osm-operator", metav1.GetOptions{})
	if err != nil || holder(lease) != "first" {
		t.Fatalf("after the crash the Lease is held by %q (%v), want first", holder(lease), err)
	}
	second := startReplica(t, clients, "second")
	if took := second.becomesLeader(t, first); took < renewDeadline {
		t.Errorf("the next replica leads after %s, want the Lease of %s to expire first", took, leaseDuration)
	}
}

func holder(lease *coordinationv1.Lease) string {
	if lease == nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}
