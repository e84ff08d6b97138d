package inventory

import (
	"crypto/sha256"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// sharing has the sets of two or more Services that select the same pod. Each set is stored once, so the memory grows with the number of
// Services of a pod, and not with its square.
type sharing struct {
	sets map[setKey]*serviceSet
	// setOf has the set of each pod, and setsOf the sets of each Service.
	setOf  map[entity.Name]*serviceSet
	setsOf map[entity.Name]map[*serviceSet]struct{}
}

// setKey is a hash of the sorted names of a set.
type setKey [sha256.Size]byte

type serviceSet struct {
	key      setKey
	services []entity.Name
	pods     int
}

func newSharing() sharing {
	return sharing{sets: map[setKey]*serviceSet{}, setOf: map[entity.Name]*serviceSet{}, setsOf: map[entity.Name]map[*serviceSet]struct{}{}}
}

// replace replaces the Services that select a pod. It adds the dependencies of those that begin or cease to share pods.
func (s *sharing) replace(pod entity.Name, services []entity.Name, affected entity.DepSet) {
	s.move(pod, s.setFor(services, affected), affected)
}

// replaceAll is replace for all pods that one Service begins or ceases to select. Pods with one set then have one set again, so it is computed once.
func (s *sharing) replaceAll(pods []*Instance, servicesOf func(*Instance) []entity.Name, affected entity.DepSet) {
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
func (s *sharing) move(pod entity.Name, after *serviceSet, affected entity.DepSet) {
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
func (s *sharing) setFor(services []entity.Name, affected entity.DepSet) *serviceSet {
	if len(services) < 2 {
		return nil
	}
	slices.SortFunc(services, entity.Name.Compare)
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
		affected.Add(entity.DepSharing.Of(name))
	}
	return added
}

func (s *sharing) remove(set *serviceSet, affected entity.DepSet) {
	delete(s.sets, set.key)
	for _, name := range set.services {
		delete(s.setsOf[name], set)
		if len(s.setsOf[name]) == 0 {
			delete(s.setsOf, name)
		}
		affected.Add(entity.DepSharing.Of(name))
	}
}

// with returns the other Services that select pods of a Service, sorted.
func (s *sharing) with(service entity.Name) []entity.Name {
	var others []entity.Name
	for set := range s.setsOf[service] {
		others = append(others, set.services...)
	}
	return slices.DeleteFunc(lists.UniqueFunc(others, entity.Name.Compare), func(other entity.Name) bool { return other == service })
}

func keyOf(services []entity.Name) setKey {
	hash := sha256.New()
	for _, name := range services {
		hash.Write([]byte(name.String()))
		hash.Write([]byte{0})
	}
	return setKey(hash.Sum(nil))
}
