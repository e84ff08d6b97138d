package scope

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// onDemandPrefix is the prefix of the names of clusters that sidecars ask for at the first connection to a destination. The rest is the destination, in the
// form in which Envoy writes an address, because the sidecar makes the name from the connection.
const onDemandPrefix = "on-demand|"

// OnDemandName is the name of the cluster that a sidecar asks for at the first connection to a destination.
func OnDemandName(destination netip.AddrPort) string { return OnDemandNameFormat(destination.String()) }

// OnDemandNameFormat is OnDemandName for a command operator of Envoy that writes the destination.
func OnDemandNameFormat(operator string) string { return onDemandPrefix + operator }

// IsOnDemandName reports whether a cluster, or its endpoints, are sent to those sidecars only that have asked for the name.
func IsOnDemandName(name string) bool { return strings.HasPrefix(name, onDemandPrefix) }

// ParseOnDemandName returns the destination of a name. It returns false if the name is not one that OnDemandName returns.
func ParseOnDemandName(name string) (netip.AddrPort, bool) {
	text, found := strings.CutPrefix(name, onDemandPrefix)
	if !found {
		return netip.AddrPort{}, false
	}
	destination, err := netip.ParseAddrPort(text)
	isService := err == nil && destination.Addr().Zone() == "" // a zone can be any text
	return destination, isService && destination.String() == text
}

// IsOnDemand reports whether the sidecars of the scope load destinations at the first connection.
func (s *Scope) IsOnDemand() bool { return s.Key.Class.OnDemand && len(s.ServiceRanges) > 0 }

// SharesListener reports whether a port has the listener of all HTTP ports with its number, instead of one of its own.
func (s *Scope) SharesListener(o *Outbound) bool {
	return s.IsOnDemand() && o.Protocol.IsHTTP() && !o.Headless() && s.hasRangeFor(o.Addresses)
}

// portFamilies are the address families of the Services that share a listener.
type portFamilies struct{ ipv4, ipv6 bool }

// HaveSamePortListeners reports whether sidecars that load on demand have listeners for the same port numbers in two versions of shared destinations.
func HaveSamePortListeners(before, after *Scope) bool {
	return maps.Equal(before.sharedPortNumbers(), after.sharedPortNumbers())
}

func (s *Scope) sharedPortNumbers() map[uint16]portFamilies {
	loading := *s
	loading.Key.Class.OnDemand = true
	numbers := map[uint16]portFamilies{}
	for i := range s.Outbound {
		o := &s.Outbound[i]
		if !loading.SharesListener(o) {
			continue
		}
		families := numbers[o.Port]
		for _, a := range o.Addresses {
			families.ipv4, families.ipv6 = families.ipv4 || a.Is4(), families.ipv6 || a.Is6()
		}
		numbers[o.Port] = families
	}
	return numbers
}

// LoadsOnDemand reports whether the sidecar has the cluster of a port only after the first connection to it. Ports whose traffic policies divide or
// route have their clusters from the start. So do those for which a peer can stand in or whose gateway is looked up, and those with HTTP whose
// endpoints are checked: a request would wait for the first check. The cluster of a TCP port is part of its listener, which must not change when
// checks come or go: open connections would be drained.
func (s *Scope) LoadsOnDemand(o *Outbound) bool {
	return s.IsOnDemand() && o.isDirect() && !o.StandIn && !o.LookedUp && (!o.isChecked() || !o.Protocol.IsHTTP()) && s.hasRangeFor(o.Addresses)
}

// hasRangeFor reports whether all addresses are in the ranges of Services.
func (s *Scope) hasRangeFor(addresses []netip.Addr) bool {
	return !slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !s.isServiceAddress(a) })
}

func (s *Scope) isServiceAddress(a netip.Addr) bool {
	return slices.ContainsFunc(s.ServiceRanges, func(p netip.Prefix) bool { return p.Contains(a) })
}

// isChecked reports whether clients check the endpoints of the Service.
func (o *Outbound) isChecked() bool { return o.Upstream != nil && o.Upstream.HealthCheck != nil }

// isDirect reports whether all traffic to the port goes to the Service itself, whatever the request.
func (o *Outbound) isDirect() bool {
	return !o.Headless() && !o.Routed && len(o.Routes) == 0 && len(o.Backends) == 1 && o.Backends[0].Weight > 0 &&
		isClusterOf(o.Backends[0].Cluster, o.Service)
}

// isClusterOf reports whether the cluster of a name has the endpoints of a Service.
func isClusterOf(cluster string, service entity.Name) bool {
	return strings.HasPrefix(cluster, service.String()+"|")
}

// LoadOnDemand replaces the clusters that sidecars ask for by one for each destination by which they may ask.
func (s *Scope) LoadOnDemand() {
	divided := make(map[netip.AddrPort]Cluster, len(s.Divided))
	for _, c := range s.Divided {
		divided[c.Destination] = c
	}
	s.Divided = nil
	if !s.IsOnDemand() {
		return
	}
	byName := make(map[string]*Cluster, len(s.Clusters))
	for i := range s.Clusters {
		byName[s.Clusters[i].Name()] = &s.Clusters[i]
	}
	clusters := make([]Cluster, 0, len(s.Clusters))
	eager := map[string]bool{}
	for i := range s.Outbound {
		o := &s.Outbound[i]
		if !s.LoadsOnDemand(o) {
			o.addReferences(eager)
			clusters = append(clusters, s.itself(o, divided)...)
			continue
		}
		if c := byName[o.Backends[0].Cluster]; c != nil {
			for _, destination := range o.destinations() {
				clusters = append(clusters, c.at(destination)) // without a list for each destination
			}
		}
	}
	for name := range eager {
		if c := byName[name]; c != nil {
			clusters = append(clusters, *c)
		}
	}
	slices.SortFunc(clusters, compareClusters)
	s.Clusters = clusters
}

// itself are the clusters of the Service under the names that a sidecar can have asked for before policies came.
func (s *Scope) itself(o *Outbound, divided map[netip.AddrPort]Cluster) []Cluster {
	if !s.SharesListener(o) || o.isChecked() {
		return nil
	}
	var clusters []Cluster
	for _, destination := range o.destinations() {
		if c, ok := divided[destination]; ok {
			clusters = append(clusters, c)
		}
	}
	return clusters
}

// isDivided reports whether policies divide or route the requests to the port.
func (o *Outbound) isDivided() bool { return o.Protocol.IsHTTP() && !o.Headless() && !o.isDirect() }

// addDivided adds the cluster of a Service whose requests policies divide or route. A sidecar can have asked for it just before a policy came, and its
// requests must find it.
func (o outboundBuilder) addDivided(service authz.ResolvedBackend) {
	if backend, callable := authz.BackendFor(o.view, o.client, service); callable {
		o.divided[ServicePort{service.Service.Name, service.Port.Number}] = o.clusterFor(backend, "")
	}
}

// dividedDestinations are the destinations of these Services.
func (o outboundBuilder) dividedDestinations(outbound []Outbound) []Cluster {
	if len(o.divided) == 0 {
		return nil
	}
	var list []Cluster
	for i := range outbound {
		out := &outbound[i]
		c, divided := o.divided[ServicePort{out.Service, out.Port}]
		if !divided {
			continue
		}
		list = append(list, lists.Map(out.destinations(), c.at)...)
	}
	return list
}

// destinations are those by which a sidecar asks for the cluster. Connections to a TCP port have the cluster of the first address.
func (o *Outbound) destinations() []netip.AddrPort {
	addresses := o.Addresses
	if !o.Protocol.IsHTTP() {
		addresses = addresses[:1]
	}
	list := make([]netip.AddrPort, len(addresses))
	for i, a := range addresses {
		list[i] = netip.AddrPortFrom(a, o.Port)
	}
	return list
}

// at returns the cluster under the name that a sidecar asks for.
func (c *Cluster) at(destination netip.AddrPort) Cluster {
	named := *c
	named.Destination, named.Endpoints.Destination = destination, destination
	return named
}

// addReferences adds the names of all clusters that the port refers to.
func (o *Outbound) addReferences(names map[string]bool) {
	add := func(list []Backend) {
		for i := range list {
			names[list[i].Cluster] = true
		}
	}
	add(o.Backends)
	for i := range o.Routes {
		add(o.Routes[i].Backends)
	}
	for i := range o.HTTPRoutes {
		add(o.HTTPRoutes[i].Backends)
		for _, mirror := range o.HTTPRoutes[i].Mirrors {
			names[mirror.Cluster] = true
		}
	}
	for i := range o.ConnectionRoutes {
		add(o.ConnectionRoutes[i].Backends)
	}
}

// eagerDestinations returns the names of the clusters that the sidecar has without asking for them.
func (s *Scope) eagerDestinations(v *catalog.View) []string {
	var list []string
	for _, name := range parseNames(s.Key.Class.EagerDestinations) {
		service := v.Service(name)
		if service == nil {
			continue
		}
		for _, port := range service.Ports {
			for _, address := range service.ClusterIPs {
				list = append(list, OnDemandName(netip.AddrPortFrom(address, port.Number)))
			}
		}
	}
	return lists.Unique(list)
}

// addAddresses adds what the sidecar must know about addresses to load destinations at the first connection.
func (s *Scope) addAddresses(v *catalog.View) {
	if !s.Key.Class.OnDemand {
		return
	}
	s.ServiceRanges = v.ServiceRanges()
	s.EagerDestinations = s.eagerDestinations(v)
	if s.IsOnDemand() && (s.Egress || len(s.EgressPorts) > 0) {
		s.ServicesOutside = v.ServicesOutside()
	}
}
