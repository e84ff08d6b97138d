package catalog

import (
	"crypto/sha256"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
)

// sharing has the sets of two or more Services that select the same pod. Each set is stored once, so the memory grows with the number of
// Services of a pod, and not with its square.
type sharing struct {
	sets map[setKey]*serviceSet
	// setOf has the set of each pod, and setsOf the sets of each Service.
	setOf  map[Name]*serviceSet
	setsOf map[Name]map[*serviceSet]struct{}
}

// setKey is a hash of the sorted names of a set.
type setKey [sha256.Size]byte

type serviceSet struct {
	key      setKey
	services []Name
	pods     int
}

func newSharing() sharing {
	return sharing{sets: map[setKey]*serviceSet{}, setOf: map[Name]*serviceSet{}, setsOf: map[Name]map[*serviceSet]struct{}{}}
}

// replace replaces the Services that select a pod. It adds the dependencies of those that begin or cease to share pods.
func (s *sharing) replace(pod Name, services []Name, affected depSet) {
	s.move(pod, s.setFor(services, affected), affected)
}

// replaceAll is replace for all pods that one Service begins or ceases to select. Pods with one set then have one set again, so it is computed once.
func (s *sharing) replaceAll(pods []*Pod, servicesOf func(*Pod) []Name, affected depSet) {
	known := map[*serviceSet]*serviceSet{}
	for _, pod := range pods {
		before := s.setOf[pod.Name]
		after, isKnown := known[before]
		if !isKnown || before == nil { // pods without a set may have different Services
			after = s.setFor(servicesOf(pod), affected)
			known[before] = after
		}
		s.move(pod.Name, after, affected)
	}
}

// move assigns a pod to another set, or to none.
func (s *sharing) move(pod Name, after *serviceSet, affected depSet) {
	before := s.setOf[pod]
	if after != nil {
		after.pods++
		s.setOf[pod] = after
	} else {
		delete(s.setOf, pod)
	}
	if before == nil {
		return
	}
	if before.pods--; before.pods == 0 {
		s.remove(before, affected)
	}
}

// setFor returns the set of some Services, and adds it if it is new. It is nil for fewer than two.
func (s *sharing) setFor(services []Name, affected depSet) *serviceSet {
	if len(services) < 2 {
		return nil
	}
	slices.SortFunc(services, Name.Compare)
	key := keyOf(services)
	if known := s.sets[key]; known != nil {
		return known
	}
	added := &serviceSet{key: key, services: services}
	s.sets[key] = added
	for _, name := range services {
		if s.setsOf[name] == nil {
			s.setsOf[name] = map[*serviceSet]struct{}{}
		}
		s.setsOf[name][added] = struct{}{}
		affected.add(DepSharing, name)
	}
	return added
}

func (s *sharing) remove(set *serviceSet, affected depSet) {
	delete(s.sets, set.key)
	for _, name := range set.services {
		delete(s.setsOf[name], set)
		if len(s.setsOf[name]) == 0 {
			delete(s.setsOf, name)
		}
		affected.add(DepSharing, name)
	}
}

// with returns the other Services that select pods of a Service, sorted.
func (s *sharing) with(service Name) []Name {
	var others []Name
	for set := range s.setsOf[service] {
		others = append(others, set.services...)
	}
	slices.SortFunc(others, Name.Compare)
	return slices.DeleteFunc(slices.Compact(others), func(other Name) bool { return other == service })
}

func keyOf(services []Name) setKey {
	hash := sha256.New()
	for _, name := range services {
		hash.Write([]byte(name.String()))
		hash.Write([]byte{0})
	}
	return setKey(hash.Sum(nil))
}

// countPod counts a pod that a Service begins or ceases to select. It affects the number only if the rounded one changes.
func (c *Catalog) countPod(service Name, delta int, affected depSet) {
	before := c.podCounts[service]
	after := before + delta
	if after > 0 {
		c.podCounts[service] = after
	} else {
		delete(c.podCounts, service)
	}
	if roundedUp(before) != roundedUp(after) {
		affected.add(DepPodCount, service)
	}
}

// roundedUp returns a number of pods, rounded up to one less than a power of two.
func roundedUp(pods int) int { return 1<<bits.Len(uint(pods)) - 1 }

// PodsUpTo returns how many pods a Service selects, rounded up to one less than a power of two. So few changes of pods affect what depends on it.
func (v *View) PodsUpTo(service Name) int {
	v.deps.add(DepPodCount, service)
	return roundedUp(v.catalog.podCounts[service])
}

// portName is a name by which a Service refers to ports of its pods. The number can differ between pods, for example during a rollout
// that changes it.
type portName struct {
	service Name
	name    string
}

// countTargetPorts counts the numbers of a pod for the named target ports of a Service that selects it.
func (c *Catalog) countTargetPorts(service *Service, pod *Pod, delta int) {
	if pod.Finished {
		return
	}
	for _, port := range service.Ports {
		if number, ok := pod.targetPort(port); ok && port.TargetPort == 0 {
			c.targetPorts.add(portName{service.Name, port.TargetName}, number, delta)
		}
	}
}

// targetPort returns the container port of a pod behind a Service's port.
func (p *Pod) targetPort(port Port) (uint16, bool) {
	if port.TargetPort != 0 {
		return port.TargetPort, true
	}
	number, ok := p.Ports[port.TargetName]
	return number, ok
}

// TargetPort returns the container port behind a Service's port. A name can have several numbers: the lowest is returned. 0 means that the
// number is not known yet.
func (v *View) TargetPort(service *Service, port Port) uint16 {
	if port.TargetPort != 0 && service.HasSelector() {
		return port.TargetPort
	}
	if numbers := v.TargetPorts(service, port); len(numbers) > 0 {
		return numbers[0]
	}
	return 0
}

// TargetPorts returns the container ports behind a Service's port, sorted: those of its pods, or else of its endpoints. Handwritten EndpointSlices have
// them instead of the Service.
func (v *View) TargetPorts(service *Service, port Port) []uint16 {
	if !service.HasSelector() {
		v.deps.add(DepEndpoints, service.Name)
		if numbers, known := v.catalog.handwrittenPorts(service, port); known {
			return numbers
		}
	}
	if port.TargetPort != 0 {
		return []uint16{port.TargetPort}
	}
	v.deps.add(DepEndpoints, service.Name)
	if numbers := v.catalog.targetPorts[portName{service.Name, port.TargetName}]; len(numbers) > 0 {
		return slices.Sorted(maps.Keys(numbers))
	}
	var numbers []uint16
	for _, slice := range Find[*EndpointSlice](v, KindEndpointSlice, Dep{DepEndpoints, service.Name}) {
		if number, ok := slice.Ports[port.Name]; ok {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// NamedPort is the number that a pod has for a named target port of a Service, or for a port of one without a selector.
type NamedPort struct {
	Service Name
	// Port is the name of the Service's port.
	Port   string
	Number uint16
}

// NumberDependsOnPod reports whether pods can have different numbers for a port.
func (s *Service) NumberDependsOnPod(port Port) bool { return port.TargetPort == 0 || !s.HasSelector() }

// NamedPorts returns the numbers of a pod for such ports of the Services that it is behind, in their order. It records no
// dependency: callers also call ServicesOfPod, which a change of a Service affects.
func (v *View) NamedPorts(pod *Pod, services []Name) []NamedPort {
	var list []NamedPort
	for _, name := range services {
		service, ok := get[*Service](v.catalog, KindService, name)
		if !ok {
			continue
		}
		for _, port := range service.Ports {
			for _, number := range v.catalog.numbersOf(pod, service, port) {
				list = append(list, NamedPort{name, port.Name, number})
			}
		}
	}
	return list
}

// numbersOf returns the numbers of a pod for a port if they depend on the pod, sorted. Handwritten EndpointSlices can have several.
func (c *Catalog) numbersOf(pod *Pod, service *Service, port Port) []uint16 {
	var numbers []uint16
	if service.HasSelector() {
		if number, ok := pod.targetPort(port); ok && port.TargetPort == 0 {
			numbers = append(numbers, number)
		}
		return numbers
	}
	for _, slice := range c.handwrittenSlices(pod) {
		if number, ok := slice.Ports[port.Name]; ok && slice.Service == service.Name {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// Addresses returns the addresses behind a Service of any namespace, sorted. They need no sidecar: the Service is a gateway outside
// the mesh. Addresses of endpoints that do not receive new traffic are included, because they may still send requests. Those of endpoints that name no
// pod are not.
func (v *View) Addresses(service Name) []netip.Addr {
	var list []netip.Addr
	for _, slice := range Find[*EndpointSlice](v, KindEndpointSlice, Dep{DepEndpoints, service}) {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Pod != (Name{}) {
				list = append(list, endpoint.Address)
			}
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
