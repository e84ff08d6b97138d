package catalog

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// Server is a server to which sidecars themselves connect, by its DNS name or address.
type Server struct {
	Host string
	Port uint16
}

// ServerUser is an entry that names servers outside the mesh.
type ServerUser interface {
	Entry
	// Servers returns the servers; the order does not matter.
	Servers() []Server
}

// String is "<host>:<port>".
func (s Server) String() string { return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port))) }

func (s Server) compare(other Server) int {
	return cmp.Or(cmp.Compare(s.Host, other.Host), cmp.Compare(s.Port, other.Port))
}

type serversKey struct{}

// ServersAt returns the servers of the mesh that are ports of a Service, sorted: of traces, logs, authorization and rate limits. It records no dependency.
func (v *View) ServersAt(service entity.Name) []Server {
	return Memo(v, serversKey{}, v.serversByService)[service]
}

// serversByService reads all entries once, because many policies may ask.
func (v *View) serversByService() map[entity.Name][]Server {
	servers := map[entity.Name][]Server{}
	add := func(host string, port uint16) {
		if name, known := ServiceOfHost(host); known {
			servers[name] = append(servers[name], Server{host, port})
		}
	}
	for _, entry := range v.catalog.entries {
		switch e := entry.(type) {
		case *Settings:
			if e.Tracing != nil {
				add(e.Tracing.Address, e.Tracing.Port)
			}
			if e.ExternalAuthorization != nil {
				add(e.ExternalAuthorization.Address, e.ExternalAuthorization.Port)
			}
		case *ExtensionService:
			add(e.Address, e.Port)
		case ServerUser:
			for _, server := range e.Servers() {
				add(server.Host, server.Port)
			}
		}
	}
	for service, list := range servers {
		slices.SortFunc(list, Server.compare)
		servers[service] = slices.Compact(list)
	}
	return servers
}
