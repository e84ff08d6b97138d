package explain

import (
	"fmt"
	"io"
	"slices"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
)

// Live is how far the sidecars are with what an answer rests on. The answer says what is right once all of them have it.
type Live struct {
	// Of is what they have or have not acknowledged: a policy, or the configuration of some service accounts.
	Of string `json:"of"`
	// Sidecars are those that it concerns; Acknowledged and Rejected are parts of them, the rest has not answered.
	Sidecars     int `json:"sidecars"`
	Acknowledged int `json:"acknowledged"`
	Rejected     int `json:"rejected,omitempty"`
	// Unknown says why the numbers are not known, or not all of them; empty when they are.
	Unknown string `json:"unknown,omitempty"`
}

// String is a sentence for people.
func (l Live) String() string {
	text := fmt.Sprintf("%s: acknowledged by %d of %d sidecars", l.Of, l.Acknowledged, l.Sidecars)
	if l.Sidecars == 0 && l.Unknown != "" {
		text = l.Of + ": Unknown whether the sidecars have acknowledged it"
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

// parties are the service accounts whose sidecars have a part in a call: the caller's, and those behind the doors.
func parties(k asker, all []door) []identity.ServiceAccount {
	found := []identity.ServiceAccount{k.caller}
	for _, d := range all {
		for _, b := range d.everybody(k) {
			found = append(found, b.identity)
		}
	}
	slices.SortFunc(found[1:], func(a, b identity.ServiceAccount) int { return catalog.Name(a).Compare(catalog.Name(b)) })
	return slices.Compact(found)
}
