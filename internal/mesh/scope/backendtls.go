package scope

import (
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// EgressAuthorities are the authorities of servers outside the mesh, in PEM.
type EgressAuthorities struct {
	// Policy is the BackendTLSPolicy that names them.
	Policy entity.Name
	PEM    []byte
}

// egressAuthorities returns the authorities by which servers outside the mesh are verified. A policy that cannot be used has none.
func egressAuthorities(ports []authz.EgressPort) []EgressAuthorities {
	var list []EgressAuthorities
	known := map[entity.Name]struct{}{}
	for _, port := range ports {
		for _, host := range port.Hosts {
			if host.BackendTLS == nil || host.BackendTLS.Unusable {
				continue
			}
			name := host.BackendTLS.Policy
			if _, added := known[name]; added {
				continue
			}
			known[name] = struct{}{}
			list = append(list, EgressAuthorities{Policy: name, PEM: host.BackendTLS.AuthoritiesPEM})
		}
	}
	return list
}

// addServerTLS finds out how connections to the servers of the scope are encrypted.
func (s *Scope) addServerTLS(v *catalog.View) {
	for _, service := range extensionServices(s.AccessLog, s.Authorizations) {
		if tls := authz.ServerTLS(v, service); tls != nil {
			if s.ServerTLS == nil {
				s.ServerTLS = map[string]*authz.BackendTLS{}
			}
			s.ServerTLS[service.Name.String()] = tls
		}
	}
	for _, server := range s.otherServers() {
		if tls := authz.HostTLS(v, server.Host, server.Port); tls != nil {
			if s.HostTLS == nil {
				s.HostTLS = map[string]*authz.BackendTLS{}
			}
			s.HostTLS[server.String()] = tls
		}
	}
}

// otherServers are the servers of the scope that are no ExtensionServices.
func (s *Scope) otherServers() []catalog.Server {
	limits := make([]*Limits, 0, len(s.Inbound))
	for i := range s.Inbound {
		limits = append(limits, s.Inbound[i].Limits)
	}
	return otherServers(s.Tracing, s.ExternalAuthorization, limits)
}

// otherServers are the servers that are no ExtensionServices: those of the MeshConfig, and rate limit services.
func otherServers(tracing *catalog.Tracing, authorization *catalog.ExternalAuthorization, limits []*Limits) []catalog.Server {
	var list []catalog.Server
	if tracing != nil {
		list = append(list, catalog.Server{Host: tracing.Address, Port: tracing.Port})
	}
	if authorization != nil {
		list = append(list, catalog.Server{Host: authorization.Address, Port: authorization.Port})
	}
	return append(list, lists.FlatMap(limits, (*Limits).servers)...)
}

// extensionServices are the servers of an access log and of ExternalAuthorizations that can be used.
func extensionServices(log *telemetry.AccessLog, authorizations []extauthz.Server) []*catalog.ExtensionService {
	var list []*catalog.ExtensionService
	if log != nil && log.Export != nil {
		list = append(list, &log.Export.Service)
	}
	for _, a := range authorizations {
		if a.Service != nil {
			list = append(list, a.Service)
		}
	}
	return list
}

// HasUnreadAuthorities reports whether a sidecar verifies servers outside the mesh, or its own servers, with a ConfigMap that was not read yet. One that does
// not exist was read.
func HasUnreadAuthorities(v *catalog.View, key Key) bool {
	isUnread := func(policy *catalog.BackendTLSPolicy) bool {
		return policy != nil && slices.ContainsFunc(policy.Authorities, func(name string) bool {
			return v.BackendAuthorities(entity.Name{Namespace: policy.Name.Namespace, Name: name}) == nil
		})
	}
	settings := v.Settings()
	limits := lists.Map(parseNames(key.Services), func(service entity.Name) *Limits { return limitsOf(authz.UpstreamSetting(v, service)) })
	servers := extensionServices(telemetry.AccessLogOf(v, key.Telemetry), extauthz.Servers(v, key.Authorization, key.MeshAuthorization))
	return slices.ContainsFunc(v.EgressesFrom(key.Identity), func(egress *catalog.Egress) bool { return isUnread(v.BackendTLSOf(egress)) }) ||
		slices.ContainsFunc(servers, func(s *catalog.ExtensionService) bool { return isUnread(authz.ServerPolicy(v, s)) }) ||
		slices.ContainsFunc(otherServers(settings.Tracing, settings.ExternalAuthorization, limits), func(s catalog.Server) bool {
			return isUnread(authz.HostPolicy(v, s.Host, s.Port))
		})
}
