package analyze

import (
	"cmp"
	"fmt"
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

// Conflicts returns the conflicts among TrafficSplits, Retries, IngressBackends, Egresses, UpstreamTrafficSettings and Backpressures,
// sorted by the overridden policy.
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
	list = append(list, egressConflicts(l)...)
	slices.SortStableFunc(list, func(a, b Conflict) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), a.Name.Compare(b.Name), a.WinnerName.Compare(b.WinnerName), strings.Compare(a.About, b.About))
	})
	return list
}

// claimsOf returns the claims of a policy by subject.
func claimsOf(ref catalog.Ref, entry catalog.Entry) map[string]claim {
	claims := map[string]claim{}
	switch e := entry.(type) {
	case *catalog.TrafficSplit:
		if len(e.Matches) == 0 {
			claims["split "+e.Root.String()] = claim{ref, e.Created, fmt.Sprintf("both split the requests to Service %s. Delete one of them.", e.Root)}
		}
		for _, group := range e.Matches {
			claims["split "+e.Root.String()+" "+group] = claim{ref, e.Created, fmt.Sprintf("both split the requests to Service %s that HTTPRouteGroup %s selects. Delete one of them, or use another group.", e.Root, group)}
		}
	case *catalog.Retry:
		for _, destination := range e.Destinations {
			claims["retry "+e.Source.Namespace+"/"+e.Source.Name+" "+destination.String()] = claim{
				ref, e.Created,
				fmt.Sprintf("both configure requests of %s/%s to Service %s. Remove the destination from one of them.", e.Source.Namespace, e.Source.Name, destination),
			}
		}
	case *catalog.IngressBackend:
		for _, port := range e.Backends {
			claims[fmt.Sprintf("ingress %s %d", port.Service, port.TargetPort)] = claim{ref, e.Created, fmt.Sprintf("both open port %d of Service %s. Merge them into one object.", port.TargetPort, port.Service)}
		}
	case *catalog.ExternalAuthorizationPolicy:
		claims[fmt.Sprintf("authorization %s %v", e.Name.Namespace, e.Selector)] = claim{ref, e.Created, "both select the same pods. Merge them into one object."}
	case *catalog.Telemetry:
		claims[fmt.Sprintf("telemetry %s %v", e.Name.Namespace, e.Selector)] = claim{ref, e.Created, "both select the same pods. Merge them into one object."}
	case *catalog.UpstreamTrafficSetting:
		if e.Service == (catalog.Name{}) {
			break // only Egresses use it, by its name
		}
		claims["setting "+e.Service.String()] = claim{ref, e.Created, fmt.Sprintf("both configure the traffic to Service %s. Merge them into one object.", e.Service)}
	}
	return claims
}
