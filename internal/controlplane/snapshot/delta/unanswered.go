package delta

import (
	"errors"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
)

// maxAnswerDelay is how long a client may leave responses without an answer. Envoy answers at once, or after a cluster has warmed. One that is too busy to
// answer does not answer keepalive pings either, which end its connection earlier.
const maxAnswerDelay = 2 * time.Minute

// ErrUnanswered means that the client reads its responses and does not answer them. Policies would wait for it forever.
var ErrUnanswered = errors.New("the sidecar does not answer its responses")

// answerDue returns when a client must have answered something; zero if it owes no answer. Each response and each answer begins the time again, which
// a silent client cannot prolong: it has one response of each type.
func (q *sequencer) answerDue() time.Time {
	if q.awaitsCertificate() {
		return time.Time{} // clusters of the client warm until they have it
	}
	for t := range q.types {
		if q.types[t].inFlight != "" {
			return q.exchangedAt.Add(maxAnswerDelay)
		}
	}
	return time.Time{}
}

// awaitsCertificate reports whether the client waits for a certificate that was not sent.
func (q *sequencer) awaitsCertificate() bool {
	secrets := &q.types[resourcetype.Secrets]
	return secrets.inFlight == "" && len(secrets.dirty) > 0
}
