package verdict

import (
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/testing/reference"
)

// authorizedBy returns the oracle for a moment in which servers already or still ask the authorization servers of another state.
func (o *oracle) authorizedBy(other *oracle) *oracle {
	mixed := *o
	mixed.authorizing = other
	return &mixed
}

// authorizersOf returns the servers that must allow requests to a pod, in order.
func (o *oracle) authorizersOf(pod catalog.Name) []reference.Authorizer {
	if o.authorizing != nil {
		return o.authorizing.authorizersOf(pod)
	}
	var list []reference.Authorizer
	view := o.catalog.View()
	if server := view.Settings().ExternalAuthorization; server != nil {
		list = append(list, reference.Authorizer{Host: server.Address, Port: int32(server.Port), FailOpen: server.FailureModeAllow})
	}
	own, mesh := view.AuthorizationsOf(view.Pod(pod))
	for _, name := range []catalog.Name{mesh, own} {
		if policy := view.Authorization(name); policy != nil {
			a := reference.Authorizer{FailOpen: policy.FailureModeAllow}
			if service := view.ExtensionService(name.Namespace, policy.Service); service != nil {
				a.Host, a.Port = service.Address, int32(service.Port)
			}
			list = append(list, a)
		}
	}
	return list
}

// refusal returns the status with which authorization servers of a pod deny a request; empty if all allow it.
func (o *oracle) refusal(pod catalog.Name, r Request) string {
	for _, a := range o.authorizersOf(pod) {
		server := authorizerAt(uint16(a.Port))
		switch {
		case server != nil && server.denies(r):
			return strconv.Itoa(int(server.status))
		case server == nil && !a.FailOpen:
			return "503"
		}
	}
	return ""
}

// authorizerDisagreement describes for which pod the authorization servers differ from those of the reference; empty if they agree.
func (o *oracle) authorizerDisagreement() string {
	for _, p := range pods {
		engine, expected := o.authorizersOf(p.name), o.reference.Authorizers(types.NamespacedName(p.name))
		if !slices.Equal(engine, expected) {
			return fmt.Sprintf("the sidecar of %s asks %v, by the reference %v", p.name, engine, expected)
		}
	}
	return ""
}
