package finding

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Service returns the reference of a Service.
func Service(name catalog.Name) catalog.Ref {
	return catalog.Ref{Kind: catalog.KindService, Name: name}
}

// Account returns the reference of a service account.
func Account(account identity.ServiceAccount) catalog.Ref {
	return catalog.Ref{Kind: catalog.KindServiceAccount, Name: catalog.Name(account)}
}
