package catalog

import (
	"slices"
	"time"
)

// aged is a policy of which several may apply. The oldest wins, so a new object never overrides what works.
type aged interface {
	Entry
	comparable
	age() time.Time
}

func (s *TrafficSplit) age() time.Time           { return s.Created }
func (r *Retry) age() time.Time                  { return r.Created }
func (b *IngressBackend) age() time.Time         { return b.Created }
func (u *UpstreamTrafficSetting) age() time.Time { return u.Created }

// oldestOf records a dependency and returns the oldest selected policy that has it and is visible in the view, the first by name among those of equal age;
// the zero value if there is none.
func oldestOf[E aged](v *View, kind Kind, dep Dep, include func(E) bool) E {
	var none E
	list := find[E](v, kind, dep)
	list = slices.DeleteFunc(list, func(e E) bool { return !include(e) })
	if len(list) == 0 {
		return none
	}
	return slices.MinFunc(list, func(a, b E) int { return a.age().Compare(b.age()) })
}
