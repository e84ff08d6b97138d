package snapshot

import (
	"fmt"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
)

// Limits of requests. Kubernetes names are at most 253 characters, so real names stay far below.
const (
	maxNameLength   = 768
	maxNonceLength  = 64
	maxUnknownNames = 2048
	maxErrorLength  = 4096
)

// MaxNames is how many names a request may have.
const MaxNames = 1 << 16

// Verdict is what a request says about the response that it answers.
type Verdict struct {
	Type Type
	// Reconnect is true when the request opens a stream of a sidecar that already holds configuration.
	Reconnect bool
	// Answers is true when the request acknowledges or rejects a response.
	Answers bool
	// Rejection is the client's own text; empty when it accepted.
	Rejection string
	// Refused is the resource that the client certainly means; nil when it accepted, or when that is not known yet.
	Refused *Refusal
	// Standing is the client's text about whatever of the type it does not use now; empty when it uses everything.
	Standing string
	// Waited is the time since the change that the response brought.
	Waited time.Duration
}

// request takes a request of the client. An error means that the stream must end: the request is malformed or too large.
func (q *sequencer) request(req *discovery.DeltaDiscoveryRequest, o offer, now time.Time) (Verdict, error) {
	t, err := ParseType(req.GetTypeUrl())
	if err != nil {
		return Verdict{}, err
	}
	if err := checkLimits(t, req); err != nil {
		return Verdict{}, err
	}
	verdict := q.answer(t, req, now)
	st := &q.types[t]
	first := !st.asked
	if first && t == Clusters {
		q.wasReady(req.GetInitialResourceVersions())
	}
	o = q.full(o)
	st.asked = true
	if first {
		verdict.Reconnect = !q.began && len(req.GetInitialResourceVersions()) > 0
		q.began = true
		q.resumed = q.resumed || len(req.GetInitialResourceVersions()) > 0
		q.begin(t, req, o, now)
	}
	for _, name := range req.GetResourceNamesSubscribe() {
		q.subscribe(t, name, first, o, now)
	}
	for _, name := range req.GetResourceNamesUnsubscribe() {
		q.unsubscribe(t, name, now)
	}
	return verdict, q.checkUnknown(t, req, o)
}

func checkLimits(t Type, req *discovery.DeltaDiscoveryRequest) error {
	if len(req.GetResponseNonce()) > maxNonceLength {
		return fmt.Errorf("the nonce of a %s request has %d bytes, more than any nonce that was sent", t, len(req.GetResponseNonce()))
	}
	subscribe, unsubscribe := req.GetResourceNamesSubscribe(), req.GetResourceNamesUnsubscribe()
	if n := len(subscribe) + len(unsubscribe) + len(req.GetInitialResourceVersions()); n > MaxNames {
		return fmt.Errorf("a %s request has %d names, more than the limit of %d", t, n, MaxNames)
	}
	for _, names := range [][]string{subscribe, unsubscribe} {
		for _, name := range names {
			if len(name) > maxNameLength {
				return fmt.Errorf("a name of %d bytes in a %s request is longer than the limit of %d", len(name), t, maxNameLength)
			}
		}
	}
	for name, version := range req.GetInitialResourceVersions() {
		if len(name) > maxNameLength || len(version) > maxNameLength {
			return fmt.Errorf("an initial version in a %s request is longer than the limit of %d bytes", t, maxNameLength)
		}
	}
	return nil
}

// answer settles the response in flight. An answer to another response is ignored, as the protocol asks.
func (q *sequencer) answer(t Type, req *discovery.DeltaDiscoveryRequest, now time.Time) Verdict {
	st := &q.types[t]
	verdict := Verdict{Type: t}
	if st.inflight == "" || req.GetResponseNonce() != st.inflight {
		return verdict
	}
	st.inflight = ""
	st.rejected = req.GetErrorDetail() != nil
	verdict.Answers = true
	verdict.Waited = now.Sub(st.sentSince)
	if st.rejected {
		verdict.Rejection = fmt.Sprintf("%.*s", maxErrorLength, req.GetErrorDetail().GetMessage())
		if verdict.Rejection == "" {
			verdict.Rejection = "rejected without a reason"
		}
	}
	q.judge(st, &verdict, now)
	if t == Endpoints && !st.rejected {
		q.warmed(req.GetResponseNonce())
	}
	return verdict
}

// judge finds out what the client thinks of the resources that it was sent.
func (q *sequencer) judge(st *typeState, v *Verdict, now time.Time) {
	switch {
	case !st.rejected:
		st.accepted()
	case q.whole:
		st.flying = nil
		v.Standing = v.Rejection
		return
	default:
		v.Refused = st.reject(v.Type, v.Rejection, now)
	}
	v.Standing = st.standing()
}

// warmed forgets the clusters whose endpoints the client got with a response that it has acknowledged.
func (q *sequencer) warmed(nonce string) {
	for name, sent := range q.warming {
		if sent == nonce {
			delete(q.warming, name)
		}
	}
}

// begin takes what is special about the first request of a type: the versions that the client holds from an earlier stream,
// and the old form of asking for everything, which names nothing.
func (q *sequencer) begin(t Type, req *discovery.DeltaDiscoveryRequest, o offer, now time.Time) {
	st := &q.types[t]
	initial := req.GetInitialResourceVersions()
	wanted := make(map[string]struct{}, len(req.GetResourceNamesSubscribe()))
	for _, name := range req.GetResourceNamesSubscribe() {
		wanted[name] = struct{}{}
	}
	_, star := wanted["*"]
	if t.wildcard() && (len(wanted) == 0 || star) {
		st.wildcard = true
		st.owed = len(initial) == 0
	}
	for name, version := range initial {
		if _, ok := wanted[name]; ok || st.wildcard {
			q.claim(t, canonical(t, name, o), version, o)
		}
	}
	q.markType(t, o, now)
}

// claim notes a version that the client holds from an earlier stream.
func (q *sequencer) claim(t Type, name, version string, o offer) {
	st := &q.types[t]
	st.held[name] = parseVersion(version)
	if full, plain, marked := cutMarks(version); marked {
		st.held[name] = full
		if c, ok := o.content(t, name); ok && c.hash == plain {
			st.held[name] = plain
		}
	}
	if t == Secrets && isServiceCertificate(name) {
		st.held[name] = claimed
		q.certificate = version
	}
}

// subscribe takes one name. A name that is subscribed to again is sent again, except one that the same first request says
// the client holds.
func (q *sequencer) subscribe(t Type, name string, first bool, o offer, now time.Time) {
	st := &q.types[t]
	if name == "*" {
		if t.wildcard() && !st.wildcard {
			st.wildcard, st.owed = true, true
			q.markType(t, o, now)
		}
		return
	}
	name = canonical(t, name, o)
	if _, held := st.held[name]; !held || !first {
		st.held[name] = unsent
	}
	st.touch(name, now)
}

// unsubscribe forgets one name. Under a wildcard the client still wants it, so the protocol asks to send it once more.
// Without the wildcard, what was sent under it stays subscribed by name.
func (q *sequencer) unsubscribe(t Type, name string, now time.Time) {
	st := &q.types[t]
	if name == "*" {
		st.wildcard = false
		return
	}
	if st.wildcard {
		st.held[name] = unsent
		st.touch(name, now)
		return
	}
	delete(st.held, name)
	delete(st.dirty, name)
	st.forget(name)
}

// canonical is the name as the offer spells it in memory, so that a thousand clients share one string.
func canonical(t Type, name string, o offer) string {
	if c, ok := o.content(t, name); ok {
		return c.name
	}
	return name
}

// checkUnknown bounds what a client can make us remember: names that do not exist.
func (q *sequencer) checkUnknown(t Type, req *discovery.DeltaDiscoveryRequest, o offer) error {
	held := q.types[t].held
	if len(req.GetResourceNamesSubscribe())+len(req.GetResourceNamesUnsubscribe()) == 0 || len(held) <= maxUnknownNames {
		return nil
	}
	unknown := 0
	for name := range held {
		if _, ok := o.content(t, name); !ok {
			unknown++
		}
	}
	if unknown > maxUnknownNames {
		return fmt.Errorf("%d of the names subscribed to by %s do not exist, more than the limit of %d", unknown, t, maxUnknownNames)
	}
	return nil
}
