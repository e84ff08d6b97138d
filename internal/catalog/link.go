package catalog

import "github.com/openservicemesh/osm-operator/internal/identity"

// link enters a new entry in the indexes; unlink takes an old one out. Both touch what depends on the entry, so a replaced
// entry touches what depended on the old and on the new version.

func (c *Catalog) link(entry Entry, touched touches)   { c.relink(entry, 1, touched) }
func (c *Catalog) unlink(entry Entry, touched touches) { c.relink(entry, -1, touched) }

func (c *Catalog) relink(entry Entry, delta int, touched touches) {
	switch e := entry.(type) {
	case *Settings:
		touched.add(DepSettings, Name{})
	case *Namespace:
		c.relinkNamespace(e, delta, touched)
	case *Pod:
		c.relinkPod(e, delta, touched)
	case *Service:
		c.relinkService(e, delta, touched)
	case *EndpointSlice:
		update(c.slicesOf, e.Service, e.Name, delta)
		touched.add(DepEndpoints, e.Service)
	case *TrafficTarget:
		c.relinkTarget(e, delta, touched)
	case *HTTPRouteGroup, *TCPRoute:
		touchPolicy(e, touched)
	case *TrafficSplit:
		c.relinkSplit(e, delta, touched)
	case *Retry:
		update(c.retriesFrom, e.Source, e.Name, delta)
		touchPolicy(e, touched)
	case *UpstreamTrafficSetting:
		update(c.upstreamIndex(e.Kind), e.Service, e.Name, delta)
		touchPolicy(e, touched)
	}
}

func update[K comparable](x index[K], key K, name Name, delta int) {
	if delta > 0 {
		x.add(key, name)
	} else {
		x.remove(key, name)
	}
}

// relinkNamespace: joining or leaving the mesh changes every Service and pod of the namespace.
func (c *Catalog) relinkNamespace(ns *Namespace, delta int, touched touches) {
	if ns.Permissive != nil {
		touched.add(DepOutspoken, Name{})
		if delta > 0 {
			c.outspoken[ns.Name] = struct{}{}
		} else {
			delete(c.outspoken, ns.Name)
		}
	}
	touched.add(DepServices, Name{})
	touched.add(DepNamespaceServices, Name{Namespace: ns.Name})
	touched.add(DepPermissive, Name{Namespace: ns.Name})
	for name := range c.services[ns.Name] {
		touched.add(DepService, name)
		touched.add(DepEndpoints, name)
		for sa := range c.backers[name] {
			touched.account(DepServicesOf, sa)
		}
	}
	for name := range c.pods[ns.Name] {
		touched.add(DepPod, name)
	}
}

func (c *Catalog) relinkPod(pod *Pod, delta int, touched touches) {
	update(c.pods, pod.Name.Namespace, pod.Name, delta)
	touched.add(DepPod, pod.Name)
	for name := range c.services[pod.Name.Namespace] {
		service, ok := get[*Service](c, KindService, name)
		if ok && service.selects(pod) {
			c.countBacker(name, pod.Identity(), delta, touched)
			touched.add(DepEndpoints, name)
		}
	}
}

func (c *Catalog) relinkService(service *Service, delta int, touched touches) {
	update(c.services, service.Name.Namespace, service.Name, delta)
	touched.add(DepService, service.Name)
	touched.add(DepEndpoints, service.Name)
	touched.add(DepNamespaceServices, Name{Namespace: service.Name.Namespace})
	for name := range c.pods[service.Name.Namespace] {
		pod, ok := get[*Pod](c, KindPod, name)
		if ok && service.selects(pod) {
			c.countBacker(service.Name, pod.Identity(), delta, touched)
		}
	}
}

func (c *Catalog) countBacker(service Name, sa identity.ServiceAccount, delta int, touched touches) {
	if c.backers.add(service, sa, delta) {
		touched.add(DepBackers, service)
	}
	if c.servicesOf.add(sa, service, delta) {
		touched.account(DepServicesOf, sa)
	}
}

func (c *Catalog) relinkTarget(target *TrafficTarget, delta int, touched touches) {
	update(c.targetsTo, target.Destination, target.Name, delta)
	for _, source := range target.Sources {
		update(c.targetsFrom, source, target.Name, delta)
	}
	touchPolicy(target, touched)
}

func (c *Catalog) relinkSplit(split *TrafficSplit, delta int, touched touches) {
	update(c.splitsOf, split.Root, split.Name, delta)
	for _, backend := range split.Backends {
		update(c.splitsWith, backend.Service, split.Name, delta)
	}
	touchPolicy(split, touched)
}

func (c *Catalog) upstreamIndex(kind Kind) index[Name] {
	if kind == KindBackpressure {
		return c.backpressuresOf
	}
	return c.settingsOf
}

// selects says whether the pod is behind the Service. A Service without a selector selects nothing.
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
