package status

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// LimitedPolicy is a policy that is not complete in the configuration of some proxies, because of authz.MaxRoutes.
type LimitedPolicy struct {
	Policy catalog.Ref
	// ServiceAccounts are the first service accounts of these proxies, sorted. It is empty for a policy that all clients share.
	ServiceAccounts []identity.ServiceAccount
	// More is the number of further service accounts.
	More int
}
