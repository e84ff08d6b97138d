package leader

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

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
	if order := a.Since.Compare(b.Since); order != 0 {
		return order
	}
	return strings.Compare(a.Namespace, b.Namespace)
}
