package catalog

import "github.com/openservicemesh/osm-operator/internal/mesh/identity"

// link adds an entry to the indexes and unlink removes it. Both add the dependencies of the entry to affected, so replacing
// an entry affects the dependencies of its old and its new version.

func (c *Catalog) link(entry Entry, affected depSet)   { c.updateIndexes(entry, 1, affected) }
func (c *Catalog) unlink(entry Entry, affected depSet) { c.updateIndexes(entry, -1, affected) }

func (c *Catalog) updateIndexes(entry Entry, delta int, affected depSet) {
	ref := entry.Ref()
	c.deps = entry.Deps(c.deps[:0])
	for _, dep := range c.deps {
		affected[dep] = struct{}{}
		if dep.Kind.isIndexed() {
			updateIndex(c.byDep, entriesOf{dep, ref.Kind}, ref.Name, delta)
		}
	}
	switch e := entry.(type) {
	case *Namespace:
		c.affectNamespace(e.Name, affected)
	case *Pod:
		c.updatePod(e, delta, affected)
	case *Service:
		c.updateService(e, delta, affected)
	}
}

func updateIndex[K comparable](x index[K], key K, name Name, delta int) {
	if delta > 0 {
		x.add(key, name)
	} else {
		x.remove(key, name)
	}
}

// affectNamespace affects every Service and pod of a namespace, because joining or leaving the mesh changes all of them.
func (c *Catalog) affectNamespace(namespace string, affected depSet) {
	for name := range c.servicesIn(namespace) {
		affected.add(DepService, name)
		affected.add(DepEndpoints, name)
		for sa := range c.identities[name] {
			affected.account(DepServicesOf, sa)
		}
	}
	for name := range c.pods[namespace] {
		affected.add(DepPod, name)
	}
}

// servicesIn returns the names of the Services of a namespace.
func (c *Catalog) servicesIn(namespace string) map[Name]struct{} {
	return c.names(KindService, Dep{DepNamespaceServices, Name{Namespace: namespace}})
}

func (c *Catalog) updatePod(pod *Pod, delta int, affected depSet) {
	updateIndex(c.pods, pod.Name.Namespace, pod.Name, delta)
	if !pod.Finished {
		for _, address := range pod.IPs {
			updateIndex(c.podsAt, address, pod.Name, delta)
		}
	}
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
	for name := range c.servicesIn(pod.Name.Namespace) {
		if service, ok := get[*Service](c, KindService, name); ok && service.selects(pod) {
			names = append(names, name)
		}
	}
	return names
}

func (c *Catalog) updateService(service *Service, delta int, affected depSet) {
	affected.add(DepEndpoints, service.Name)
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
