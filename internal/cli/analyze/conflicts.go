package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// Conflict is a policy without effect, or with less effect, because another policy takes precedence.
type Conflict struct {
	// Kind and Name identify the overridden policy.
	Kind catalog.Kind
	Name catalog.Name
	// WinnerKind and WinnerName identify the policy that takes precedence.
	WinnerKind catalog.Kind
	WinnerName catalog.Name
	// About describes the subject of both policies and the remedy.
	About string
}

// Winner returns "<kind> <namespace>/<name>" of the policy that takes precedence.
func (c Conflict) Winner() string { return string(c.WinnerKind) + " " + c.WinnerName.String() }

// claim is the configuration of a subject by a policy.
type claim struct {
	ref     catalog.Ref
	created time.Time
	about   string
}

// compare sorts the claim with precedence first: UpstreamTrafficSettings before Backpressures, then by age, then by name.
func (c claim) compare(other claim) int {
	last := func(x claim) int {
		if x.ref.Kind == catalog.KindBackpressure {
			return 1
		}
		return 0
	}
	return cmp.Or(last(c)-last(other), c.created.Compare(other.created), c.ref.Name.Compare(other.ref.Name))
}

// Conflicts returns the conflicts among policies, sorted by the overridden policy.
func Conflicts(l *load.Loaded) []Conflict {
	claims := map[string][]claim{}
	for ref, entry := range l.Entries {
		policy, exclusive := entry.(catalog.Claimant)
		if !exclusive {
			continue
		}
		for _, c := range policy.Claims() {
			claims[c.Subject] = append(claims[c.Subject], claim{ref, policy.Age(), c.About})
		}
	}
	var list []Conflict
	for _, subject := range slices.Sorted(maps.Keys(claims)) {
		all := claims[subject]
		slices.SortFunc(all, claim.compare)
		for _, c := range all[1:] {
			list = append(list, Conflict{Kind: c.ref.Kind, Name: c.ref.Name, WinnerKind: all[0].ref.Kind, WinnerName: all[0].ref.Name, About: c.about})
		}
	}
	list = append(list, egressConflicts(l)...)
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), a.Name.Compare(b.Name), a.WinnerName.Compare(b.WinnerName), strings.Compare(a.About, b.About))
	})
	return list
}
