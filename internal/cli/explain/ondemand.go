package explain

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// closed are the outcomes without a response.
var closed = []string{string(authz.Reset), string(authz.Refused), string(authz.PassedThrough)}

// answeredOnDemand changes what a client sees of HTTP ports without a destination for it, if its sidecar loads destinations on demand.
func answeredOnDemand(candidates []Candidate, client *inventory.Instance) {
	if client == nil || !client.OnDemand {
		return
	}
	for i := range candidates {
		if inventory.Protocol(candidates[i].Protocol).IsHTTP() && slices.Contains(closed, candidates[i].Outcome) {
			candidates[i].Response = "status 503 of the client's sidecar, which loads destinations on demand"
		}
	}
}
