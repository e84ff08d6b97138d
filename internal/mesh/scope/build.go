package scope

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// Destinations are the destinations of a client.
type Destinations struct {
	// Outbound and Clusters are those of a Scope.
	Outbound []Outbound
	Clusters []Cluster
	Divided  []Cluster
	// Limited are the TrafficSplits that are not complete because of MaxSplitRoutes, sorted.
	Limited []entity.Ref
}

// Build builds the scope of a key. The view records its dependencies.
func Build(v *catalog.View, trustDomain string, key Key) *Scope {
	return BuildWithShared(v, identity.OneTrustDomain(trustDomain), key, nil)
}

// BuildWithShared is Build with destinations from SharedDestinations of the same mesh; with nil it computes its own.
// UsesSharedDestinations reports which clients may use them. The view does not record the dependencies of the shared
// destinations.
func BuildWithShared(v *catalog.View, domains identity.TrustDomains, key Key, shared *Destinations) *Scope {
	return build(v, domains, key, shared, nil)
}

// BuildFromParts is BuildWithShared without shared destinations, and with the parts of an earlier call for the same key that have not changed. It adds those of
// Services with many routes, and removes those of Services that the client may not call any more. The view records what all parts depend on.
func BuildFromParts(v *catalog.View, domains identity.TrustDomains, key Key, parts map[entity.Name]*Part) *Scope {
	return build(v, domains, key, nil, parts)
}

func build(v *catalog.View, domains identity.TrustDomains, key Key, shared *Destinations, parts map[entity.Name]*Part) *Scope {
	settings := v.Settings()
	s := &Scope{Common: Common{
		Key: key, TLS: settings.TLS, AcceptAnyClient: settings.Teardown > 0, Tracing: settings.Tracing,
		AccessLog: telemetry.AccessLogOf(v, key.Telemetry), UnloggedRequests: settings.UnloggedRequests,
	}}
	s.SetTrustDomains(domains)
	switch key.Proxy {
	case ProxySidecar:
		s.addSidecar(v, &settings, shared, parts)
	case ProxyIngressGateway:
		s.addIngressGateway(v)
	case ProxyEgressGateway:
		s.addEgressGateway(v)
	case ProxyPeerGateway:
		s.addPeerGateway(v)
	}
	s.keepPeers(v)
	s.addServerIPs(v)
	s.addServerTLS(v)
	return s
}

// addSidecar adds what the application accepts, and where it may connect to.
func (s *Scope) addSidecar(v *catalog.View, settings *catalog.Settings, shared *Destinations, parts map[entity.Name]*Part) {
	key := s.Key
	s.ExternalAuthorization, s.Authorizations = settings.ExternalAuthorization, extauthz.Servers(v, key.Authorization, key.MeshAuthorization)
	s.Passthrough = settings.Teardown == catalog.TeardownPassthrough
	s.Egress = s.Passthrough || v.AllowsEgress(key.Identity.Namespace)
	s.addPorts(v, settings.IngressBackends)
	isShared := shared != nil
	if !isShared {
		builder := newOutboundBuilder(v, key.Identity)
		builder.onDemand, builder.parts, builder.keeps = key.Class.OnDemand, parts, hasManyRoutes
		own := builder.destinations()
		shared = &own
		s.addLimited(own.Limited)
	}
	s.Outbound, s.Clusters, s.Divided = shared.Outbound, shared.Clusters, shared.Divided
	var outside authz.RouteLimit
	s.EgressPorts, s.EgressUpstreams = egress(v, key.Identity, &outside)
	s.addLimited(outside.Limited())
	s.EgressAuthorities = egressAuthorities(s.EgressPorts)
	s.EgressGatewayService = egressGatewayOf(v, s.EgressPorts)
	s.ClientPolicies = clientPolicies(v, &key, settings)
	s.addAddresses(v)
	if isShared {
		s.Divided = nil // its layer has the clusters
	} else {
		s.LoadOnDemand()
		s.limitLog()
	}
}

// SharedDestinations are the destinations that every client may call because the mesh or a namespace is permissive;
// nil if nothing is permissive. The view records their dependencies.
func SharedDestinations(v *catalog.View) *Destinations { return SharedDestinationsFrom(v, nil) }

func newOutboundBuilder(v *catalog.View, client identity.ServiceAccount) outboundBuilder {
	return outboundBuilder{view: v, client: client, clusters: map[string]Cluster{}, divided: map[ServicePort]Cluster{}, limit: &authz.RouteLimit{}}
}

func (o outboundBuilder) destinations() Destinations {
	var d Destinations
	if names := o.reachable(); o.parts != nil {
		o.addParts(&d, names)
	} else {
		for _, name := range names {
			if service := o.view.Service(name); service != nil {
				d.Outbound = append(d.Outbound, o.of(service)...)
			}
		}
		d.Clusters = sortedClusters(o.clusters)
	}
	d.Outbound = withoutDuplicates(d.Outbound)
	o.spreadChecks(d.Clusters)
	d.Limited = o.limit.Limited()
	d.Divided = o.dividedDestinations(d.Outbound)
	return d
}

func sortedClusters(clusters map[string]Cluster) []Cluster {
	return slices.SortedFunc(maps.Values(clusters), compareClusters)
}

func compareClusters(a, b Cluster) int {
	byName := cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.TargetPort, b.TargetPort), cmp.Compare(b.HTTP, a.HTTP), a.Destination.Compare(b.Destination))
	switch {
	case byName != 0 || a.Endpoints.PeerFirst == b.Endpoints.PeerFirst:
		return byName
	case b.Endpoints.PeerFirst:
		return -1
	}
	return 1
}

// UsesSharedDestinations reports whether a client may call exactly the shared destinations: something is permissive,
// no policy and no peer grants the client access to the rest, and its namespace has no routes for Services of others. In passthrough mode no client uses them.
func UsesSharedDestinations(v *catalog.View, client identity.ServiceAccount) bool {
	if !permissiveAnywhere(v) || v.Settings().Teardown == catalog.TeardownPassthrough {
		return false
	}
	if v.HasConsumerRoutes(client.Namespace) || authz.HasImports(v, client) {
		return false
	}
	if v.Settings().Permissive && len(v.PermissiveOverrides()) == 0 {
		return true
	}
	return !slices.ContainsFunc(v.TargetsFrom(client), func(target *catalog.TrafficTarget) bool {
		return !v.Permissive(target.Destination.Namespace)
	})
}

// permissiveAnywhere reports whether the mesh or one of its namespaces is permissive.
func permissiveAnywhere(v *catalog.View) bool {
	return v.Settings().Permissive || slices.ContainsFunc(v.PermissiveOverrides(), v.Permissive)
}

// reachable are the Services that the client may be able to call, sorted: Services of permissive namespaces, Services
// that TrafficTargets let it call, and those with splits and routes to them.
func (o outboundBuilder) reachable() []entity.Name {
	services := slices.Concat(authz.GrantedServices(o.view, o.client), authz.PermissiveServices(o.view), authz.RoutedToPermissive(o.view, o.client.Namespace))
	return lists.UniqueFunc(services, entity.Name.Compare)
}

// ServicePort is a port of a Service.
type ServicePort struct {
	Service entity.Name
	Port    uint16
}

// MaxSplitRoutes returns how many routes the TrafficSplits of a namespace can have in the sidecar of a client.
func MaxSplitRoutes(v *catalog.View, client identity.ServiceAccount, namespace string) int {
	if UsesSharedDestinations(v, client) {
		client = identity.ServiceAccount{}
	}
	return authz.RoutesFor(client.Namespace, namespace)
}

// LeftOutSplits returns the TrafficSplits whose routes the sidecar of a client does not have because of MaxSplitRoutes, by port of their root Service.
func LeftOutSplits(v *catalog.View, client identity.ServiceAccount) map[ServicePort]map[entity.Ref]struct{} {
	if UsesSharedDestinations(v, client) {
		client = identity.ServiceAccount{}
	}
	found := map[ServicePort]map[entity.Ref]struct{}{}
	o := newOutboundBuilder(v, client)
	o.leaveOut = func(out Outbound, split *catalog.TrafficSplit) {
		port := ServicePort{out.Service, out.Port}
		if found[port] == nil {
			found[port] = map[entity.Ref]struct{}{}
		}
		found[port][split.Ref()] = struct{}{}
	}
	o.destinations()
	return found
}

// AddLimited adds a policy that is not complete to Limited.
func (s *Scope) AddLimited(policy entity.Ref) { s.addLimited([]entity.Ref{policy}) }

// addLimited adds policies to Limited.
func (s *Scope) addLimited(policies []entity.Ref) {
	if len(policies) == 0 {
		return
	}
	s.Limited = append(s.Limited, policies...)
	s.Limited = lists.UniqueFunc(s.Limited, entity.Ref.Compare)
}
