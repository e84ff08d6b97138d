package finding

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Service returns the reference of a Service.
func Service(name entity.Name) entity.Ref { return entity.KindService.Ref(name) }

// Account returns the reference of a service account.
func Account(account identity.ServiceAccount) entity.Ref {
	return entity.Ref{Kind: entity.KindServiceAccount, Name: entity.Name(account)}
}
