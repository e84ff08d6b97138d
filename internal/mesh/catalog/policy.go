package catalog

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// IsPolicy reports whether entries of the kind are policies: leaving one out changes how traffic is handled, but not
// which workloads exist.
func (k Kind) IsPolicy() bool {
	switch k {
	case KindTrafficTarget, KindHTTPRouteGroup, KindTCPRoute, KindTrafficSplit, KindRetry, KindUpstreamTrafficSetting, KindBackpressure,
		KindIngressBackend, KindEgress, KindTelemetry, KindExtensionService, KindExternalAuthorization,
		KindHTTPRoute:
		return true
	default:
		return false
	}
}

// Compare orders by kind, then name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, other.Kind), r.Name.Compare(other.Name))
}

// ViewWithout returns a view in which the excluded policies do not exist. It records dependencies on them all the
// same, so whatever was built from it is rebuilt when an excluded policy changes. The map must not change while the
// view is in use; nil excludes nothing.
func (c *Catalog) ViewWithout(excluded map[Ref]struct{}) *View {
	return &View{catalog: c, deps: depSet{}, excluded: excluded}
}

func (v *View) isHidden(ref Ref) bool {
	_, hidden := v.excluded[ref]
	return hidden
}

// visible removes the entries that the view excludes.
func visible[E Entry](v *View, list []E) []E {
	if len(v.excluded) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(e E) bool { return v.isHidden(e.Ref()) })
}

// Policies returns the existing policies that any of the dependencies refer to, sorted.
func (c *Catalog) Policies(deps []Dep) []Ref {
	found := map[Ref]struct{}{}
	for _, dep := range deps {
		switch dep.Kind {
		case DepTargetsTo:
			collect(found, KindTrafficTarget, c.targetsTo[identity.ServiceAccount(dep.Name)])
		case DepTargetsFrom:
			collect(found, KindTrafficTarget, c.targetsFrom[identity.ServiceAccount(dep.Name)])
		case DepSplit:
			collect(found, KindTrafficSplit, c.splitsOf[dep.Name])
		case DepSplitsWith:
			collect(found, KindTrafficSplit, c.splitsWith[dep.Name])
		case DepRetriesFrom:
			collect(found, KindRetry, c.retriesFrom[identity.ServiceAccount(dep.Name)])
		case DepUpstreamSetting:
			collect(found, KindUpstreamTrafficSetting, c.settingsOf[dep.Name])
			collect(found, KindBackpressure, c.backpressuresOf[dep.Name])
		case DepIngressBackend:
			collect(found, KindIngressBackend, c.ingressBackendsOf[dep.Name])
		case DepEgressesFrom:
			collect(found, KindEgress, c.egressesFrom[identity.ServiceAccount(dep.Name)])
		case DepNamedUpstreamSetting:
			c.collectOne(found, Ref{KindUpstreamTrafficSetting, dep.Name})
		case DepTelemetry:
			c.collectOne(found, Ref{KindTelemetry, dep.Name})
		case DepExtensionService:
			c.collectOne(found, Ref{KindExtensionService, dep.Name})
		case DepGateways:
			collect(found, KindHTTPRoute, c.gateways[KindHTTPRoute])
		case DepEgressGateway:
			collect(found, KindEgress, c.gateways[KindEgress])
		case DepHTTPRouteGroup:
			c.collectOne(found, Ref{KindHTTPRouteGroup, dep.Name})
		case DepTCPRoute:
			c.collectOne(found, Ref{KindTCPRoute, dep.Name})
		}
	}
	return slices.SortedFunc(maps.Keys(found), Ref.Compare)
}

func collect(found map[Ref]struct{}, kind Kind, names map[Name]struct{}) {
	for name := range names {
		found[Ref{kind, name}] = struct{}{}
	}
}

func (c *Catalog) collectOne(found map[Ref]struct{}, ref Ref) {
	if _, ok := c.entries[ref]; ok {
		found[ref] = struct{}{}
	}
}

// PolicyDeps returns the dependencies that refer to a policy, sorted; none when the policy does not exist.
func (c *Catalog) PolicyDeps(policy Ref) []Dep {
	affected := depSet{}
	if entry, ok := c.entries[policy]; ok {
		addPolicyDeps(entry, affected)
	}
	return slices.SortedFunc(maps.Keys(affected), Dep.Compare)
}

// addPolicyDeps adds the dependencies that refer to a policy.
func addPolicyDeps(entry Entry, affected depSet) {
	switch e := entry.(type) {
	case *TrafficTarget:
		affected.account(DepTargetsTo, e.Destination)
		for _, source := range e.Sources {
			affected.account(DepTargetsFrom, source)
		}
	case *HTTPRouteGroup:
		affected.add(DepHTTPRouteGroup, e.Name)
	case *TCPRoute:
		affected.add(DepTCPRoute, e.Name)
	case *HTTPRoute:
		affected.add(DepGateways, Name{})
	case *TrafficSplit:
		affected.add(DepSplit, e.Root)
		for _, backend := range e.Backends {
			affected.add(DepSplitsWith, backend.Service)
		}
	case *Retry:
		affected.account(DepRetriesFrom, e.Source)
	case *IngressBackend:
		for _, port := range e.Backends {
			affected.add(DepIngressBackend, port.Service)
		}
	case *Egress:
		for _, source := range e.Sources {
			affected.account(DepEgressesFrom, source)
		}
		// The namespace may require the gateway.
		affected.add(DepEgressGateway, Name{})
	case *Telemetry:
		affected.add(DepTelemetry, e.Name)
	case *ExternalAuthorizationPolicy:
		affected.add(DepAuthorization, e.Name)
	case *ExtensionService:
		affected.add(DepExtensionService, e.Name)
	case *UpstreamTrafficSetting:
		if e.Service != (Name{}) {
			affected.add(DepUpstreamSetting, e.Service)
		}
		if e.Kind == KindUpstreamTrafficSetting {
			affected.add(DepNamedUpstreamSetting, e.Name)
		}
	}
}
