package catalog

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// EgressGateway sends what an Egress allows through the egress gateway of the mesh.
type EgressGateway struct {
	// TLS makes the gateway encrypt requests to ports with ProtocolHTTP; nil for none.
	TLS *EgressTLS
}

// EgressTLS is how the egress gateway encrypts requests.
type EgressTLS struct {
	// Port is that of the servers.
	Port uint16
	// Secret has the authorities of the servers, and optionally a client certificate. It is in the namespace of the Egress.
	Secret string
}

// Credential returns the name of the Secret that an Egress refers to; ok is false without one.
func (e *Egress) Credential() (name entity.Name, ok bool) {
	if e.Gateway == nil || e.Gateway.TLS == nil {
		return entity.Name{}, false
	}
	return entity.Name{Namespace: e.Name.Namespace, Name: e.Gateway.TLS.Secret}, true
}

// ThroughGateway returns the policy with the egress gateway. It looks up hosts itself, so it cannot forward to the address that a client
// chose. No other protocol than http and https remains, and no port of a policy with Prefixes.
func (e *Egress) ThroughGateway() *Egress {
	if e.Gateway != nil {
		return e
	}
	out := *e
	out.Gateway, out.Prefixes = &EgressGateway{}, nil
	out.Hosts = slices.DeleteFunc(slices.Clone(e.Hosts), IsLocalHost)
	out.Ports = slices.DeleteFunc(slices.Clone(e.Ports), func(port EgressPort) bool {
		return len(e.Prefixes) > 0 || port.Protocol != inventory.ProtocolHTTP && port.Protocol != ProtocolHTTPS
	})
	return &out
}

// IsLocalHost reports whether a host is an address that means another destination in the pod of the gateway, or on its node, than in that of
// the client.
func IsLocalHost(host string) bool {
	address, _ := netip.ParseAddr(host) // the zero value is none of these
	return IsOwnHost(host) || address.IsLinkLocalUnicast() || address.IsMulticast()
}

// IsOwnHost reports whether a host is always the pod that connects to it: a loopback or unspecified address, or a name that RFC 6761 reserves.
func IsOwnHost(host string) bool {
	address, _ := netip.ParseAddr(host) // the zero value is none of these
	address = address.Unmap()
	return address.IsLoopback() || address.IsUnspecified() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// RequiresEgressGateway reports whether workloads of a namespace reach destinations outside the mesh through the egress gateway only.
func (v *View) RequiresEgressGateway(namespace string) bool {
	v.deps.Add(entity.DepRequiresEgressGateway.In(namespace))
	ns, ok := get[*Namespace](v.catalog, entity.KindNamespace, entity.Name{Namespace: namespace})
	return ok && ns.EgressGateway
}

// AllowsEgress reports whether workloads of a namespace may call destinations outside the mesh that no Egress is about.
func (v *View) AllowsEgress(namespace string) bool {
	return v.Settings().Egress && !v.RequiresEgressGateway(namespace)
}

// InForce returns an Egress as its namespace applies it.
func (v *View) InForce(policy *Egress) *Egress {
	if v.RequiresEgressGateway(policy.Name.Namespace) {
		return policy.ThroughGateway()
	}
	return policy
}

// EgressCredential is the content of a Secret that an Egress refers to.
type EgressCredential struct {
	Name entity.Name
	// AuthoritiesPEM are the authorities of the servers. They are valid, unless Problem is set.
	AuthoritiesPEM []byte
	// ChainPEM and KeyPEM are the client certificate; empty without one. They are valid and belong together.
	ChainPEM, KeyPEM []byte
	// Problem is why the Secret cannot be used, a sentence; empty if it can.
	Problem string
}

// Ref implements Entry.
func (c *EgressCredential) Ref() entity.Ref { return entity.KindEgressCredential.Ref(c.Name) }

// Deps implements Entry.
func (c *EgressCredential) Deps(list []entity.Dep) []entity.Dep {
	return append(list, entity.Dep{Kind: entity.DepEgressGateway})
}

// GatewayEgresses returns the Egresses of the mesh with the egress gateway, by name.
func (v *View) GatewayEgresses() []*Egress {
	list := lists.Map(Find[*Egress](v, entity.KindEgress, entity.Dep{Kind: entity.DepEgressGateway}), v.InForce)
	return slices.DeleteFunc(list, func(e *Egress) bool { return e.Gateway == nil || !v.InMesh(e.Name.Namespace) })
}

// EgressCredential returns the content of a Secret; nil before it was read.
func (v *View) EgressCredential(name entity.Name) *EgressCredential {
	return read[*EgressCredential](v, entity.Dep{Kind: entity.DepEgressGateway}, entity.KindEgressCredential, name)
}

// EgressGatewayAddresses are the addresses of the Service of the egress gateway, none without the Service.
func (v *View) EgressGatewayAddresses() []netip.Addr {
	name := entity.Name{Namespace: v.Settings().Namespace, Name: names.EgressGateway}
	if service := v.AnyService(name); service != nil {
		return service.ClusterIPs
	}
	return nil
}

// ForwardedHosts decides to which hosts the egress gateway forwards.
func (v *View) ForwardedHosts() ForwardedHosts {
	name := entity.Name{Namespace: v.Settings().Namespace, Name: names.EgressGateway}
	hosts := ForwardedHosts{MeshNamespace: name.Namespace}
	if service := v.AnyService(name); service != nil {
		hosts.Namespaces = service.AllowedNamespaces
	}
	return hosts
}

// IsEgressGateway reports whether a pod belongs to the egress gateway of the mesh.
func (v *View) IsEgressGateway(pod *inventory.Instance) bool {
	return v.isGatewayPod(pod, names.EgressGateway)
}
