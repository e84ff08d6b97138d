package leader

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// interval is the time between two searches for other operators.
	interval = 5 * time.Second
	// leaderInterval is that of the active operator, which renews its Lease every two seconds.
	leaderInterval = 30 * time.Second
)

// Lock is the Lease of an operator's replicas. While an operator of another namespace is active, it cannot be acquired. If two operators
// became active at the same time, the second loses it. A Lock is used by one goroutine.
type Lock struct {
	resourcelock.Interface
	// Others finds other operators.
	Others *Others
	Log    logr.Logger
	// StandBy is called when the operator starts to wait for another one.
	StandBy func(other Other)
	// Followed is called when another replica, or an operator of another namespace, was seen to be active.
	Followed func()
	// Wait waits for a duration, or until the context ends.
	Wait func(ctx context.Context, d time.Duration) error

	// acquired is when this replica became active; zero if it is not.
	acquired time.Time
	// checked is when the active replica searched last.
	checked time.Time
	// seen is the record that was read last.
	seen resourcelock.LeaderElectionRecord
}

// Get returns the record of the Lease, after no other operator is active. Having waited, it returns an error, because the times in the
// record that its caller would write are those of the start.
func (l *Lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	other := l.preceding(ctx)
	if other == nil {
		record, raw, err := l.Interface.Get(ctx)
		if err == nil {
			l.see(*record)
		}
		return record, raw, err
	}
	l.StandBy(*other)
	l.Followed()
	for waiting := other; waiting != nil; {
		if err := l.Wait(ctx, interval); err != nil {
			return nil, nil, err
		}
		next, err := l.Others.First(ctx)
		if err == nil {
			waiting = next
		}
	}
	return nil, nil, fmt.Errorf("the operator in namespace %s has stopped: this one can be elected now", other.Namespace)
}

// see compares a record with the one before. The holder of a Lease that was renewed in between is active; that of another one may have been killed.
func (l *Lock) see(record resourcelock.LeaderElectionRecord) {
	before := l.seen
	l.seen = record
	if holder := record.HolderIdentity; holder != "" && holder != l.Identity() && holder == before.HolderIdentity && !record.RenewTime.Equal(&before.RenewTime) {
		l.Followed()
	}
}

// Create creates the Lease.
func (l *Lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.note(record, l.Interface.Create(ctx, record))
}

// Update renews, acquires or releases the Lease. A renewal fails if another operator was first.
func (l *Lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	renewed := record.HolderIdentity == l.Identity() && !l.acquired.IsZero()
	if renewed && l.Others.Now().Sub(l.checked) >= leaderInterval {
		if other := l.preceding(ctx); other != nil {
			return fmt.Errorf("the operator in namespace %s is active since %s, and was first", other.Namespace, other.Since.UTC().Format(time.RFC3339))
		}
		l.checked = l.Others.Now()
	}
	return l.note(record, l.Interface.Update(ctx, record))
}

// note records if this replica is active after a write.
func (l *Lock) note(record resourcelock.LeaderElectionRecord, err error) error {
	switch {
	case err != nil:
	case record.HolderIdentity == l.Identity():
		l.acquired = record.AcquireTime.Time
	default:
		l.acquired = time.Time{}
	}
	return err
}

// preceding returns the active operator that comes before this one, or nil. If the search fails, this operator acts as if there were none.
func (l *Lock) preceding(ctx context.Context) *Other {
	other, err := l.Others.First(ctx)
	if err != nil {
		l.Log.Error(err, "cannot search for other operators")
		return nil
	}
	if other != nil && !l.acquired.IsZero() && compare(*other, Other{Namespace: l.Others.Namespace, Since: l.acquired}) > 0 {
		return nil
	}
	return other
}

// tolerance is how old the last renewal of an active operator may be. It is longer than a Lease lasts, because the clocks of nodes differ.
const tolerance = time.Minute

// Other is an active operator of another namespace.
type Other struct {
	Namespace string
	// Since is when its Lease was acquired.
	Since time.Time
}

// Others finds the active operators of other namespaces.
type Others struct {
	// Client reads from the API server.
	Client client.Client
	// Namespace is that of this operator.
	Namespace string
	Now       func() time.Time
}

// First returns the active operator of another namespace that was first, or nil if there is none.
func (o *Others) First(ctx context.Context) (*Other, error) {
	leases := &coordinationv1.LeaseList{}
	// All operators have a Lease of the same name.
	if err := o.Client.List(ctx, leases, client.MatchingFields{"metadata.name": names.Operator}); err != nil {
		return nil, fmt.Errorf("cannot list the leases of operators: %w", err)
	}
	var others []Other
	for i := range leases.Items {
		lease := &leases.Items[i]
		if lease.Namespace == o.Namespace || !o.active(lease) {
			continue
		}
		genuine, err := o.genuine(ctx, lease.Namespace)
		if err != nil {
			return nil, err
		}
		if genuine {
			others = append(others, Other{Namespace: lease.Namespace, Since: ptr.Deref(lease.Spec.AcquireTime, *lease.Spec.RenewTime).Time})
		}
	}
	if len(others) == 0 {
		return nil, nil
	}
	return new(slices.MinFunc(others, compare)), nil
}

// active reports if a Lease has a holder that renews it.
func (o *Others) active(lease *coordinationv1.Lease) bool {
	return ptr.Deref(lease.Spec.HolderIdentity, "") != "" && lease.Spec.RenewTime != nil && o.Now().Sub(lease.Spec.RenewTime.Time) < tolerance
}

// genuine reports if the namespace has an operator's permissions. Everybody may create a Lease in their own namespace.
func (o *Others) genuine(ctx context.Context, namespace string) (bool, error) {
	account := "system:serviceaccount:" + namespace + ":" + names.Operator
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:   account,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "patch", Group: v1alpha1.GroupVersion.Group, Resource: "meshes", Subresource: "status",
		},
	}}
	if err := o.Client.Create(ctx, review); err != nil {
		return false, fmt.Errorf("cannot review the permissions of %s: %w", account, err)
	}
	return review.Status.Allowed, nil
}

// compare orders operators by the time of their election, and by namespace if it is equal.
func compare(a, b Other) int {
	return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Namespace, b.Namespace))
}
