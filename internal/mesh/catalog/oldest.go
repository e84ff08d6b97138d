package catalog

import (
	"slices"
	"time"
)

// Aged is a policy of which several may apply. The oldest wins, so a new object never overrides what works.
type Aged interface {
	Entry
	// Age returns the time of creation.
	Age() time.Time
}

// Claimant is a policy that takes precedence over newer ones with an equal claim.
type Claimant interface {
	Aged
	// Claims returns what the policy configures alone.
	Claims() []Claim
}

// Claim is what only one policy can configure.
type Claim struct {
	// Subject is equal for policies that exclude each other.
	Subject string
	// About describes to users what both policies do, and the remedy.
	About string
}

// oldestOf records a dependency and returns the oldest selected policy that has it and is visible in the view, the first by name among those of equal age;
// the zero value if there is none.
func oldestOf[E interface {
	comparable
	Aged
}](v *View, kind Kind, dep Dep, include func(E) bool) E {
	var none E
	list := find[E](v, kind, dep)
	list = slices.DeleteFunc(list, func(e E) bool { return !include(e) })
	if len(list) == 0 {
		return none
	}
	return slices.MinFunc(list, func(a, b E) int { return a.Age().Compare(b.Age()) })
}
