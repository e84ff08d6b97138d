package page

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
)

// Settings are the settings of a mesh in its MeshConfig.
type Settings struct {
	Permissive bool `json:"permissive"`
	Egress     bool `json:"egress"`
	// Logged is the share of the requests that have a line in access logs, in addition to those that always have one.
	Logged tap.Share `json:"-"`
}

// unknownShare begins what is said without Settings, for there is no way to see in a log what it lacks.
const unknownShare = "It is unknown whether all requests are logged, because the MeshConfig cannot be read"

// restrict reports whether policies allow destinations, so that even those without traffic are worth a look.
func (s *Settings) restrict() bool { return s != nil && !s.Permissive }

// logged returns the share of logged requests, all if it is unknown.
func (s *Settings) logged() tap.Share {
	if s == nil {
		return tap.AllRequests
	}
	return s.Logged
}

// requestsNotes describe which requests a list from access logs has. There are none if it has all.
func (s *Settings) requestsNotes() []string {
	switch share := s.logged(); {
	case s == nil:
		return []string{unknownShare + "."}
	case share == tap.AllRequests:
		return []string{}
	case share == 0:
		return []string{"Only requests that fail or take a second or more are logged."}
	default:
		return []string{fmt.Sprintf("Requests that fail or take a second or more are always logged, and %v of the others.", share)}
	}
}

// traceNotes describe which sidecars log the request with an identifier. There are none if all do.
func (s *Settings) traceNotes(id string) []string {
	selected, known := s.logged().Selects(id)
	switch {
	case s == nil:
		return []string{unknownShare + ": the trace may be incomplete."}
	case selected:
		return []string{}
	case !known && s.Logged > 0:
		return []string{"The trace may be incomplete: each sidecar decides by chance whether it logs this request, because its x-request-id is no UUID."}
	default:
		return []string{"The trace may be incomplete: of this request, only calls that fail or take a second or more are logged."}
	}
}

// latenciesNote describes which requests latencies from access logs come from; "" if it is all.
func (s *Settings) latenciesNote(sample *sample) string {
	switch share := s.logged(); {
	case s == nil && len(sample.durations) > 0:
		return unknownShare + ": latencies may be too high."
	case share == tap.AllRequests:
		return ""
	case share == 0:
		return "Access logs give no latencies, because only requests that fail or take a second or more are logged."
	case sample.undecided > 0:
		return fmt.Sprintf("Latencies in access logs are those of %v of the requests. Requests whose x-request-id is no UUID do not count.", share)
	default:
		return fmt.Sprintf("Latencies in access logs are those of %v of the requests.", share)
	}
}
