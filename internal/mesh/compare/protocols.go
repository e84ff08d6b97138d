package compare

import (
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// Protocol is a port of a Service whose clients use another protocol than the sidecars of its servers, since the edit.
type Protocol struct {
	// Port is "<namespace>/<service>:<port>".
	Port string `json:"port"`
	// Client is the protocol of clients, Server that of the sidecars of servers.
	Client string `json:"client"`
	Server string `json:"server"`
	// By is the Service that declares the protocol of the servers, "<namespace>/<name>".
	By string `json:"by"`
}

// compareProtocols returns the conflicts that only exist after the edit, by Service and port.
func compareProtocols(before, after *catalog.View) []Protocol {
	var list []Protocol
	for _, name := range after.Services() {
		known := map[uint16]inventory.Protocol{}
		if earlier := before.Service(name); earlier != nil {
			for _, c := range authz.ProtocolConflicts(before, earlier) {
				known[c.Port.Number] = c.Effective
			}
		}
		for _, c := range authz.ProtocolConflicts(after, after.Service(name)) {
			if known[c.Port.Number] != c.Effective {
				list = append(list, Protocol{
					Port: portID{name, c.Port.Number}.String(), Client: string(c.Port.Protocol),
					Server: string(c.Effective), By: c.By.String(),
				})
			}
		}
	}
	return list
}
