package scope

import (
	"net/netip"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// egress returns the destinations outside the mesh that a client may call, and their settings. The limit records policies that are not complete.
func egress(v *catalog.View, client identity.ServiceAccount, limit *authz.RouteLimit) ([]authz.EgressPort, map[string]*Upstream) {
	ports := authz.EgressPortsWithin(v, client, limit)
	upstreams := map[string]*Upstream{}
	add := func(name string) {
		if upstream := egressUpstream(v, client.Namespace, name); upstream != nil {
			upstreams[name] = upstream
		}
	}
	for _, port := range ports {
		add(port.Setting)
		for _, host := range port.Hosts {
			add(host.Setting)
		}
	}
	if len(upstreams) == 0 {
		return ports, nil
	}
	return ports, upstreams
}

// egressUpstream returns the settings of an UpstreamTrafficSetting for hosts outside the mesh; nil without one.
func egressUpstream(v *catalog.View, namespace, name string) *Upstream {
	setting := v.NamedUpstreamSetting(catalog.Name{Namespace: namespace, Name: name})
	if setting == nil {
		return nil
	}
	return &Upstream{Connections: setting.Connections, OutlierDetection: setting.OutlierDetection}
}

// EgressGateway is the configuration of the egress gateway.
type EgressGateway struct {
	// Destinations are sorted by policy, port and host.
	Destinations []EgressDestination
	// Credentials are those that destinations name, each once.
	Credentials []EgressCredential
}

// EgressDestination is a destination with its settings.
type EgressDestination struct {
	authz.GatewayDestination
	// Upstream has the settings for connections to the host; nil means defaults.
	Upstream *Upstream
	// Credential is the name of the credential with which the gateway encrypts requests. If it is empty and TLS is set, the Secret cannot be
	// used, and the destination answers 503.
	Credential string
	// HasClientCertificate is true if the credential has a client certificate.
	HasClientCertificate bool
}

// EgressCredential has the authorities of servers, and the client certificate of the gateway with its key, all PEM. The certificate may be
// empty. The name is "<namespace>/<name>" of the Secret.
type EgressCredential struct {
	Name                             string
	AuthoritiesPEM, ChainPEM, KeyPEM []byte
}

// addEgressGateway adds the destinations of all Egresses with the gateway.
func (s *Scope) addEgressGateway(v *catalog.View) {
	s.EgressGateway = &EgressGateway{}
	var limit authz.RouteLimit
	for _, d := range authz.GatewayDestinationsWithin(v, &limit) {
		out := EgressDestination{GatewayDestination: d, Upstream: egressUpstream(v, d.Policy.Namespace, d.Setting)}
		if d.TLS != nil {
			s.EgressGateway.addCredential(v, &out)
		}
		s.EgressGateway.Destinations = append(s.EgressGateway.Destinations, out)
	}
	s.addLimited(limit.Limited())
}

// addCredential adds the credential of a destination, if it can be used.
func (g *EgressGateway) addCredential(v *catalog.View, d *EgressDestination) {
	c := v.EgressCredential(catalog.Name{Namespace: d.Policy.Namespace, Name: d.TLS.Secret})
	if c == nil || c.Problem != "" {
		return
	}
	d.Credential, d.HasClientCertificate = c.Name.String(), len(c.ChainPEM) > 0
	if !slices.ContainsFunc(g.Credentials, func(known EgressCredential) bool { return known.Name == d.Credential }) {
		g.Credentials = append(g.Credentials, EgressCredential{d.Credential, c.AuthoritiesPEM, c.ChainPEM, c.KeyPEM})
	}
}

// egressGatewayOf returns what a sidecar needs for the egress gateway; nil if none of its destinations uses it.
func egressGatewayOf(v *catalog.View, ports []authz.EgressPort) *EgressGatewayService {
	for _, port := range ports {
		for _, host := range port.Hosts {
			if host.HTTPGateway != (catalog.Name{}) || host.TLSGateway != (catalog.Name{}) {
				return &EgressGatewayService{Namespace: v.Settings().Namespace, Addresses: v.EgressGatewayAddresses()}
			}
		}
	}
	return nil
}

// EgressGatewayService is the Service of the egress gateway.
type EgressGatewayService struct {
	// Namespace is that of the mesh.
	Namespace string
	// Addresses are none without the Service.
	Addresses []netip.Addr
}
