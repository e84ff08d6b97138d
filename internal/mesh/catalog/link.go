package catalog

import "github.com/openservicemesh/osm-operator/internal/mesh/identity"

// link adds an entry to the indexes and unlink removes it. Both add the dependencies of the entry to affected, so replacing
// an entry affects the dependencies of its old and its new version.

func (c *Catalog) link(entry Entry, affected depSet)   { c.updateIndexes(entry, 1, affected) }
func (c *Catalog) unlink(entry Entry, affected depSet) { c.updateIndexes(entry, -1, affected) }

func (c *Catalog) updateIndexes(entry Entry, delta int, affected depSet) {
	switch e := entry.(type) {
	case *Settings:
		affected.add(DepSettings, Name{})
	case *Namespace:
		c.updateNamespace(e, delta, affected)
	case *ServiceAccount:
		affected.add(DepAccount, e.Name)
	case *Pod:
		c.updatePod(e, delta, affected)
	case *Service:
		c.updateService(e, delta, affected)
	case *EndpointSlice:
		updateIndex(c.slicesOf, e.Service, e.Name, delta)
		affected.add(DepEndpoints, e.Service)
	case *TrafficTarget:
		c.updateTarget(e, delta, affected)
	case *HTTPRouteGroup, *TCPRoute, *ExtensionService:
		addPolicyDeps(e, affected)
	case *TrafficSplit:
		c.updateSplit(e, delta, affected)
	case *Retry:
		updateIndex(c.retriesFrom, e.Source, e.Name, delta)
		addPolicyDeps(e, affected)
	case *IngressBackend:
		for _, port := range e.Backends {
			updateIndex(c.ingressBackendsOf, port.Service, e.Name, delta)
		}
		addPolicyDeps(e, affected)
	case *Egress:
		for _, source := range e.Sources {
			updateIndex(c.egressesFrom, source, e.Name, delta)
		}
		updateIndex(c.gateways, KindEgress, e.Name, delta)
		addPolicyDeps(e, affected)
	case *Telemetry:
		updateIndex(c.telemetriesIn, e.Name.Namespace, e.Name, delta)
		affected.add(DepTelemetriesIn, Name{Namespace: e.Name.Namespace})
		addPolicyDeps(e, affected)
	case *ExternalAuthorizationPolicy:
		updateIndex(c.authorizationsIn, e.Name.Namespace, e.Name, delta)
		affected.add(DepAuthorizationsIn, Name{Namespace: e.Name.Namespace})
		addPolicyDeps(e, affected)
	case *Gateway, *GatewayClass, *ReferenceGrant, *GatewayCertificate, *HTTPRoute:
		c.updateGatewayIndex(e.Ref(), delta, affected)
	case *EgressCredential:
		affected.add(DepEgressGateway, Name{})
	case *NamespaceLabels:
		affected.add(DepNamespaceLabels, Name{})
	case *UpstreamTrafficSetting:
		if e.Service != (Name{}) {
			updateIndex(c.upstreamIndex(e.Kind), e.Service, e.Name, delta)
		}
		addPolicyDeps(e, affected)
	}
}

func updateIndex[K comparable](x index[K], key K, name Name, delta int) {
	if delta > 0 {
		x.add(key, name)
	} else {
		x.remove(key, name)
	}
}

// updateNamespace affects every Service and pod of the namespace, because joining or leaving the mesh changes all of
// them.
func (c *Catalog) updateNamespace(ns *Namespace, delta int, affected depSet) {
	if ns.Permissive != nil {
		affected.add(DepPermissiveOverrides, Name{})
		if delta > 0 {
			c.permissiveOverrides[ns.Name] = struct{}{}
		} else {
			delete(c.permissiveOverrides, ns.Name)
		}
	}
	affected.add(DepServices, Name{})
	affected.add(DepEgressGateway, Name{})
	affected.add(DepNamespaceServices, Name{Namespace: ns.Name})
	affected.add(DepPermissive, Name{Namespace: ns.Name})
	affected.add(DepRequiresEgressGateway, Name{Namespace: ns.Name})
	for name := range c.services[ns.Name] {
		affected.add(DepService, name)
		affected.add(DepEndpoints, name)
		for sa := range c.identities[name] {
			affected.account(DepServicesOf, sa)
		}
	}
	for name := range c.pods[ns.Name] {
		affected.add(DepPod, name)
	}
}

func (c *Catalog) updatePod(pod *Pod, delta int, affected depSet) {
	updateIndex(c.pods, pod.Name.Namespace, pod.Name, delta)
	if !pod.Finished {
		for _, address := range pod.IPs {
			updateIndex(c.podsAt, address, pod.Name, delta)
		}
	}
	affected.add(DepPod, pod.Name)
	selecting := c.servicesSelecting(pod)
	for _, name := range selecting {
		c.countIdentity(name, pod.Identity(), delta, affected)
		if service, ok := get[*Service](c, KindService, name); ok {
			c.countTargetPorts(service, pod, delta)
		}
		affected.add(DepEndpoints, name)
	}
	if delta < 0 {
		selecting = nil
	}
	c.sharing.replace(pod.Name, selecting, affected)
}

// servicesSelecting returns the Services that select a pod, in no particular order.
func (c *Catalog) servicesSelecting(pod *Pod) []Name {
	var names []Name
	for name := range c.services[pod.Name.Namespace] {
		if service, ok := get[*Service](c, KindService, name); ok && service.selects(pod) {
			names = append(names, name)
		}
	}
	return names
}

func (c *Catalog) updateService(service *Service, delta int, affected depSet) {
	updateIndex(c.services, service.Name.Namespace, service.Name, delta)
	affected.add(DepService, service.Name)
	affected.add(DepEndpoints, service.Name)
	affected.add(DepNamespaceServices, Name{Namespace: service.Name.Namespace})
	var selected []*Pod
	for name := range c.pods[service.Name.Namespace] {
		pod, ok := get[*Pod](c, KindPod, name)
		if ok && service.selects(pod) {
			c.countIdentity(service.Name, pod.Identity(), delta, affected)
			c.countTargetPorts(service, pod, delta)
			selected = append(selected, pod)
		}
	}
	c.sharing.replaceAll(selected, c.servicesSelecting, affected)
}

func (c *Catalog) countIdentity(service Name, sa identity.ServiceAccount, delta int, affected depSet) {
	if c.identities.add(service, sa, delta) {
		affected.add(DepServiceIdentities, service)
	}
	if c.servicesOf.add(sa, service, delta) {
		affected.account(DepServicesOf, sa)
	}
}

func (c *Catalog) updateTarget(target *TrafficTarget, delta int, affected depSet) {
	updateIndex(c.targetsTo, target.Destination, target.Name, delta)
	for _, source := range target.Sources {
		updateIndex(c.targetsFrom, source, target.Name, delta)
	}
	addPolicyDeps(target, affected)
}

func (c *Catalog) updateSplit(split *TrafficSplit, delta int, affected depSet) {
	updateIndex(c.splitsOf, split.Root, split.Name, delta)
	for _, backend := range split.Backends {
		updateIndex(c.splitsWith, backend.Service, split.Name, delta)
	}
	addPolicyDeps(split, affected)
}

func (c *Catalog) upstreamIndex(kind Kind) index[Name] {
	if kind == KindBackpressure {
		return c.backpressuresOf
	}
	return c.settingsOf
}

// selects reports whether the pod is behind the Service. A Service without a selector selects nothing.
func (s *Service) selects(pod *Pod) bool {
	if len(s.Selector) == 0 || pod.Finished || pod.Name.Namespace != s.Name.Namespace {
		return false
	}
	for key, value := range s.Selector {
		if have, ok := pod.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}
