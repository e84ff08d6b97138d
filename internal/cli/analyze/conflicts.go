package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/catalog"
)

// Conflict is a policy that does nothing, or less than it says, because another one speaks about the same.
type Conflict struct {
	// Kind and Name are those of the policy that loses.
	Kind catalog.Kind
	Name catalog.Name
	// WinnerKind and WinnerName are those of the policy that counts.
	WinnerKind catalog.Kind
	WinnerName catalog.Name
	// About is what both speak about, as a sentence.
	About string
}

// Winner is "<kind> <namespace>/<name>" of the policy that counts.
func (c Conflict) Winner() string { return string(c.WinnerKind) + " " + c.WinnerName.String() }

// claim is a policy's word about something.
type claim struct {
	ref     catalog.Ref
	created time.Time
	about   string
}

// compare puts the claim that counts first: an UpstreamTrafficSetting before a Backpressure, the older one, by name among those
// of equal age.
func (c claim) compare(other claim) int {
	last := func(x claim) int {
		if x.ref.Kind == catalog.KindBackpressure {
			return 1
		}
		return 0
	}
	return cmp.Or(last(c)-last(other), c.created.Compare(other.created), c.ref.Name.Compare(other.ref.Name))
}

// Conflicts are those among the TrafficSplits, Retries, UpstreamTrafficSettings and Backpressures of a mesh, sorted by the policy
// that loses.
func Conflicts(l *load.Loaded) []Conflict {
	claims := map[string][]claim{}
	for ref, entry := range l.Entries {
		for subject, c := range claimsOf(ref, entry) {
			claims[subject] = append(claims[subject], c)
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
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), a.Name.Compare(b.Name), a.WinnerName.Compare(b.WinnerName), strings.Compare(a.About, b.About))
	})
	return list
}

// claimsOf are the words of a policy by what they are about.
func claimsOf(ref catalog.Ref, entry catalog.Entry) map[string]claim {
	claims := map[string]claim{}
	switch e := entry.(type) {
	case *catalog.TrafficSplit:
		if len(e.Matches) == 0 {
			claims["split "+e.Root.String()] = claim{ref, e.Created, fmt.Sprintf("both divide the requests to Service %s. Delete one of the two.", e.Root)}
		}
		for _, group := range e.Matches {
			claims["split "+e.Root.String()+" "+group] = claim{ref, e.Created, fmt.Sprintf("both divide those requests to Service %s that HTTPRouteGroup %s selects. Delete one of the two, or name another group.", e.Root, group)}
		}
	case *catalog.Retry:
		for _, destination := range e.Destinations {
			claims["retry "+e.Source.Namespace+"/"+e.Source.Name+" "+destination.String()] = claim{
				ref, e.Created,
				fmt.Sprintf("both are about requests of %s/%s to Service %s. Remove the destination from one of the two.", e.Source.Namespace, e.Source.Name, destination),
			}
		}
	case *catalog.UpstreamTrafficSetting:
		claims["setting "+e.Service.String()] = claim{ref, e.Created, fmt.Sprintf("both bound the traffic to Service %s. Merge the two into one.", e.Service)}
	}
	return claims
}
