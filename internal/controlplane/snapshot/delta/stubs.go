package delta

import (
	"container/list"
	"hash/maphash"
)

// stubs are names without a destination, in the order in which they were added.
type stubs struct {
	order  list.List // of string
	byName map[string]*list.Element
}

func (s *stubs) len() int { return len(s.byName) }

// add adds a name as the latest. One that is there keeps its place.
func (s *stubs) add(name string) {
	if _, has := s.byName[name]; has {
		return
	}
	if s.byName == nil {
		s.byName = map[string]*list.Element{}
	}
	s.byName[name] = s.order.PushBack(name)
}

func (s *stubs) remove(name string) {
	if e, has := s.byName[name]; has {
		s.order.Remove(e)
		delete(s.byName, name)
	}
}

// oldest returns the name that was added first. There must be one.
func (s *stubs) oldest() string {
	name, _ := s.order.Front().Value.(string)
	return name
}

// nameFilter is a Bloom filter of names. Its size does not depend on how many it has: 8 KiB. It reports names that it does not have for 1 in 5,000 with
// 2,000 names, 1 in 23 with 10,000, and nearly always with 100,000.
type nameFilter struct {
	seed maphash.Seed
	bits [1 << 16 / 64]uint64
}

func newNameFilter() *nameFilter { return &nameFilter{seed: maphash.MakeSeed()} }

// positions returns the bits of a name.
func (f *nameFilter) positions(name string) [4]uint16 {
	h := maphash.String(f.seed, name)
	return [4]uint16{uint16(h), uint16(h >> 16), uint16(h >> 32), uint16(h >> 48)} //nolint:gosec // each is a part of the hash
}

func (f *nameFilter) add(name string) {
	for _, p := range f.positions(name) {
		f.bits[p/64] |= 1 << (p % 64)
	}
}

// mayHave reports whether the filter has a name. It may be true of others. A nil filter has none.
func (f *nameFilter) mayHave(name string) bool {
	if f == nil {
		return false
	}
	for _, p := range f.positions(name) {
		if f.bits[p/64]&(1<<(p%64)) == 0 {
			return false
		}
	}
	return true
}
