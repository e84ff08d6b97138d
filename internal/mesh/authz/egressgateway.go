package authz

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

// GatewayDestination is a host on a port to which the egress gateway forwards because of one Egress. Clients name it by its ID, and the gateway
// looks up the host: nothing else that a client sends affects where its connection goes.
type GatewayDestination struct {
	// Policy is the Egress.
	Policy entity.Name
	Host   string
	// Inside is true if the host is a Service or a pod of the cluster, which the Mesh allows.
	Inside bool
	// Port is that which clients use.
	Port uint16
	// Protocol is ProtocolHTTP or ProtocolHTTPS.
	Protocol inventory.Protocol
	// Sources are the clients, sorted. No other client may connect.
	Sources []identity.ServiceAccount
	// With Restricted, requests must match one of Matches.
	Restricted bool
	Matches    []catalog.HTTPMatch
	// Setting is the UpstreamTrafficSetting of the namespace of the Egress; empty for none.
	Setting string
	// TLS is how the gateway encrypts requests; nil for none.
	TLS *catalog.EgressTLS
}

// LookupName is the host as the gateway looks it up. The search list must not complete a host outside the cluster: the result would be a Service.
func (d GatewayDestination) LookupName() string {
	if d.Inside || strings.Count(d.Host, ".") != 1 || strings.HasSuffix(d.Host, ".") { // all others are complete for a proxy
		return d.Host
	}
	return d.Host + "."
}

// ID identifies the destination in connections of sidecars to the gateway.
func (d GatewayDestination) ID() string {
	return GatewayDestinationID(d.Policy, d.Protocol, d.Host, d.Port)
}

// GatewayDestinationID returns the ID of a GatewayDestination. It has the form of a DNS label, and no two destinations have the same one.
func GatewayDestinationID(policy entity.Name, protocol inventory.Protocol, host string, port uint16) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%d", policy, protocol, host, port))
	return hex.EncodeToString(sum[:16])
}

// destinationRoutes is as how many routes a destination counts, in addition to its matches and clients: the gateway has a cluster for it.
const destinationRoutes = 10

// GatewayDestinations returns the destinations of the egress gateway, by policy, port and host. It leaves out protected hosts, and those of a
// namespace beyond MaxRoutes: all namespaces share the gateway. limit records the Egresses that are not complete.
func GatewayDestinations(v *catalog.View, limit *RouteLimit) []GatewayDestination {
	if !v.Settings().EgressPolicies {
		return nil
	}
	var list []GatewayDestination
	hosts := v.ForwardedHosts()
	for _, policy := range v.GatewayEgresses() {
		matches, clients := egressMatches(v, policy), RoutesOfClients(policy.Sources)
		for _, port := range policy.Ports {
			for _, host := range policy.Hosts {
				d := GatewayDestination{
					Policy: policy.Name, Host: host, Inside: hosts.IsInside(host), Port: port.Number, Protocol: port.Protocol,
					Sources: policy.Sources, Setting: policy.Setting,
				}
				routes := destinationRoutes + clients
				switch {
				case isWildcard(host), !hosts.Allows(host), port.Protocol == catalog.ProtocolHTTPS && isAddress(host):
					continue
				case port.Protocol == inventory.ProtocolHTTP:
					d.Restricted, d.Matches, d.TLS = policy.Restricted, matches, policy.Gateway.TLS
					routes += egressRoutes(v, policy)
				}
				if limit.AdmitPolicy(policy.Ref(), routes) {
					list = append(list, d)
				}
			}
		}
	}
	return list
}
