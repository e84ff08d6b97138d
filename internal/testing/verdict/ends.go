package verdict

import (
	"fmt"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// end is a port of a pod that may receive a request.
type end struct {
	pod  catalog.Name
	port uint16
	// http is true if its sidecar authorizes requests.
	http bool
}

// String returns the name of the application.
func (e end) String() string { return fmt.Sprintf("%s:%d", e.pod.Name, e.port) }

// ends returns the applications that may receive a request: pods of the identity behind the Service.
func (o *oracle) ends(a authz.Answer) []end {
	var list []end
	view := o.catalog.View()
	service := view.Service(a.Service)
	if service == nil {
		return nil
	}
	for _, port := range service.Ports {
		for _, b := range view.Backends(service, port) {
			i := slices.IndexFunc(pods, func(p pod) bool { return podAddress(slices.Index(pods, p)) == b.Address.Addr() })
			if b.Identity == a.Destination {
				list = append(list, end{pods[i].name, b.Address.Port(), authz.EffectiveProtocol(view, service, port).IsHTTP()})
			}
		}
	}
	return list
}

// observationsAt returns the possible observations of a request that arrives at an application or its sidecar. Authorization servers are asked
// about requests that policies allow, and about some that routes reject as ambiguous.
func (o *oracle) observationsAt(e end, a authz.Answer, r Request) []string {
	refusal := ""
	if e.http {
		refusal = o.refusal(e.pod, r)
	}
	switch {
	case a.Outcome == authz.Allowed && refusal == "":
		return []string{e.String()}
	case a.Outcome == authz.Allowed, a.Outcome == authz.BadRequest && refusal != "":
		return []string{refusal}
	}
	return nil
}
