package explain

import (
	"fmt"
	"io"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Live holds the acknowledgements of the sidecars for an answer. The answer is in force when all sidecars have acknowledged.
type Live struct {
	// Of is the subject: a policy, or the configuration of service accounts.
	Of string `json:"of"`
	// Sidecars counts the affected sidecars. Acknowledged and Rejected count parts of them; all others have not responded.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected,omitempty"`
	// Unknown explains why the numbers are missing or incomplete. It is empty if they are complete.
	Unknown string `json:"unknown,omitempty"`
}

// String formats the acknowledgements as a sentence.
func (l Live) String() string {
	if l.Sidecars == 0 && l.Unknown == "" {
		return l.Of + ": no connected sidecar"
	}
	text := fmt.Sprintf("%s: acknowledged by %d of %d sidecars", l.Of, l.Acknowledged, l.Sidecars)
	if l.Sidecars == 0 && l.Unknown != "" {
		text = l.Of + ": acknowledgement unknown"
	}
	if l.Rejected > 0 {
		text += fmt.Sprintf(", rejected by %d", l.Rejected)
	}
	if l.Unknown != "" {
		text += " (" + l.Unknown + ")"
	}
	return text
}

func (a *Answer) printLive(w io.Writer) {
	if len(a.Live) > 0 {
		fmt.Fprintln(w)
	}
	for _, l := range a.Live {
		fmt.Fprintf(w, "  live: %s\n", l)
	}
}

// parties returns the service accounts involved in a call: the caller's, and those of the destinations.
func parties(e evaluator, all []servicePort) []identity.ServiceAccount {
	found := []identity.ServiceAccount{e.caller}
	for _, p := range all {
		for _, b := range p.destinations(e) {
			found = append(found, b.identity)
		}
	}
	slices.SortFunc(found[1:], func(a, b identity.ServiceAccount) int { return catalog.Name(a).Compare(catalog.Name(b)) })
	return slices.Compact(found)
}
