package catalog

import (
	"slices"
	"time"
)

// aged is a policy that may compete with others of its kind; the oldest wins, so that a new object never takes over what works.
type aged interface {
	Entry
	comparable
	age() time.Time
}

func (s *TrafficSplit) age() time.Time           { return s.Created }
func (r *Retry) age() time.Time                  { return r.Created }
func (u *UpstreamTrafficSetting) age() time.Time { return u.Created }

// oldestOf is the oldest of the named policies that a view shows and that fit, by name among those of equal age; the zero value
// without one.
func oldestOf[E aged](v *View, kind Kind, names map[Name]struct{}, fits func(E) bool) E {
	var none E
	list := shown(v, sorted[E](v.catalog, kind, names))
	list = slices.DeleteFunc(list, func(e E) bool { return !fits(e) })
	if len(list) == 0 {
		return none
	}
	return slices.MinFunc(list, func(a, b E) int { return a.age().Compare(b.age()) })
}
