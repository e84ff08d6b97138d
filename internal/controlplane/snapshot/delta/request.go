package delta

import (
	"fmt"
	"maps"
	"slices"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/quarantine"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/platform/printable"
)

// Limits of requests. Resource names consist of Kubernetes names, which have at most 253 characters.
const (
	maxNameLength    = 768
	maxNonceLength   = 64
	maxUnknownNames  = 2048
	maxMessageLength = 4096
)

// MaxNames is how many names a request may have.
const MaxNames = 1 << 16

// requestResult describes a request and the response that it answers.
type requestResult struct {
	Type resourcetype.Type
	// IsReconnect is true for the first request of a stream if the client has configuration from an earlier stream.
	IsReconnect bool
	// IsAnswer is true for an ACK or NACK.
	IsAnswer bool
	// Message is the client's message of a NACK; empty for an ACK.
	Message string
	// Rejected is the resource that the NACK is about; nil for an ACK, or if it is not known yet.
	Rejected *quarantine.RejectedResource
	// Rejection is the client's message about everything of the type that it rejects now; empty if it rejects nothing.
	Rejection string
	// Latency is the time from the change in the response to the answer.
	Latency time.Duration
}

// handleRequest processes a request. After an error the stream must end: the request is malformed or exceeds a limit.
func (q *sequencer) handleRequest(req *discovery.DeltaDiscoveryRequest, snap Snapshot, now time.Time) (requestResult, error) {
	t, err := resourcetype.ParseType(req.GetTypeUrl())
	if err != nil {
		return requestResult{}, err
	}
	if err := checkLimits(t, req); err != nil {
		return requestResult{}, err
	}
	result := q.handleAnswer(t, req, now)
	st := &q.types[t]
	first := !st.requested
	if first && t == resourcetype.Clusters {
		q.detectReadiness(req.GetInitialResourceVersions())
		q.detectDrain(req.GetInitialResourceVersions(), now)
	}
	snap = q.withOwnClusters(snap)
	st.requested = true
	if first {
		result.IsReconnect = !q.started && len(req.GetInitialResourceVersions()) > 0
		q.started = true
		q.resumed = q.resumed || len(req.GetInitialResourceVersions()) > 0
		q.handleFirstRequest(t, req, snap, now)
	}
	for _, name := range req.GetResourceNamesSubscribe() {
		q.subscribe(t, name, first, snap, now)
	}
	for _, name := range req.GetResourceNamesUnsubscribe() {
		q.unsubscribe(t, name, now)
	}
	return result, q.checkUnknownNames(t, req, snap)
}

func checkLimits(t resourcetype.Type, req *discovery.DeltaDiscoveryRequest) error {
	if len(req.GetResponseNonce()) > maxNonceLength {
		return fmt.Errorf("the nonce of a %s request has %d bytes, the limit is %d", t, len(req.GetResponseNonce()), maxNonceLength)
	}
	subscribe, unsubscribe := req.GetResourceNamesSubscribe(), req.GetResourceNamesUnsubscribe()
	n := countOthers(slices.Values(subscribe)) + countOthers(slices.Values(unsubscribe)) + countOthers(maps.Keys(req.GetInitialResourceVersions()))
	if n > MaxNames {
		return fmt.Errorf("a %s request has %d names, the limit is %d", t, n, MaxNames)
	}
	for _, names := range [][]string{subscribe, unsubscribe} {
		for _, name := range names {
			if len(name) > maxNameLength {
				return fmt.Errorf("a name in a %s request has %d bytes, the limit is %d", t, len(name), maxNameLength)
			}
		}
	}
	for name, version := range req.GetInitialResourceVersions() {
		if len(name) > maxNameLength || len(version) > maxNameLength {
			return fmt.Errorf("an initial resource version in a %s request exceeds the limit of %d bytes", t, maxNameLength)
		}
	}
	return nil
}

// handleAnswer processes the ACK or NACK of the response in flight. An answer to another response is ignored, as the protocol
// requires.
func (q *sequencer) handleAnswer(t resourcetype.Type, req *discovery.DeltaDiscoveryRequest, now time.Time) requestResult {
	st := &q.types[t]
	result := requestResult{Type: t}
	if st.inFlight == "" || req.GetResponseNonce() != st.inFlight {
		return result
	}
	st.inFlight, q.exchangedAt = "", now
	st.rejected = req.GetErrorDetail() != nil
	if t == resourcetype.Listeners {
		q.recordListenersAnswered(now)
	}
	result.IsAnswer = true
	result.Latency = now.Sub(st.inFlightSince)
	if st.rejected {
		// The text reaches logs, conditions, Events and terminals.
		result.Message = printable.Line(fmt.Sprintf("%.*s", maxMessageLength, req.GetErrorDetail().GetMessage()))
		if result.Message == "" {
			result.Message = "rejected without a message"
		}
	}
	q.updateBisector(st, &result, now)
	if t == resourcetype.Endpoints && !st.rejected {
		// The clusters whose endpoints were in the response are warm.
		maps.DeleteFunc(q.warming, func(_, nonce string) bool { return nonce == req.GetResponseNonce() })
	}
	return result
}

// updateBisector sets Rejected and Rejection.
func (q *sequencer) updateBisector(st *typeState, result *requestResult, now time.Time) {
	switch {
	case !st.rejected:
		st.bisector.ACK()
	case q.undivided:
		st.bisector.SetInFlight(nil)
		result.Rejection = result.Message
		return
	default:
		result.Rejected = st.bisector.NACK(result.Type, result.Message, now)
	}
	result.Rejection = st.bisector.Message()
}

// handleFirstRequest processes what only the first request of a type has: versions from an earlier stream, and the legacy
// wildcard subscription without names.
func (q *sequencer) handleFirstRequest(t resourcetype.Type, req *discovery.DeltaDiscoveryRequest, snap Snapshot, now time.Time) {
	st := &q.types[t]
	initial := req.GetInitialResourceVersions()
	subscribed := make(map[string]struct{}, len(req.GetResourceNamesSubscribe()))
	for _, name := range req.GetResourceNamesSubscribe() {
		subscribed[name] = struct{}{}
	}
	_, star := subscribed["*"]
	if t.IsWildcard() && (len(subscribed) == 0 || star) {
		st.wildcard = true
		st.responseDue = len(initial) == 0
	}
	for name, version := range initial {
		if _, ok := subscribed[name]; (ok || st.wildcard) && q.admitDestination(t, name, originReported, snap, now) {
			q.setInitialVersion(t, canonicalName(t, name, snap), version, snap, now)
		}
	}
	if t == resourcetype.Listeners && q.handover != nil && (q.handover.Started || q.handover.Complete) {
		q.captureListeners(snap)
	}
	q.markTypeChanged(t, snap, now)
}

// setInitialVersion records a version from an earlier stream.
func (q *sequencer) setInitialVersion(t resourcetype.Type, name, version string, snap Snapshot, now time.Time) {
	st := &q.types[t]
	switch t {
	case resourcetype.Listeners:
		held, unsure := resource.CutUnsureMark(version)
		version = q.reportListener(name, held)
		if unsure {
			version = q.reportUnsure(name, version, now)
		}
	case resourcetype.Extensions:
		version = q.reportPermissions(name, version, snap, now)
	}
	held, ok := resource.ParseVersion(version)
	if !ok {
		held = stateUnknown
	}
	st.versions.set(name, held)
	if t == resourcetype.Secrets && name == envoy.ServiceCertName {
		st.versions.set(name, stateReported)
		q.reportedCertificate = version
	}
}

// subscribe adds a name. A repeated subscription causes the resource to be sent again, unless the first request has its version.
func (q *sequencer) subscribe(t resourcetype.Type, name string, first bool, snap Snapshot, now time.Time) {
	st := &q.types[t]
	if name == "*" {
		if t.IsWildcard() && !st.wildcard {
			st.wildcard, st.responseDue = true, true
			q.markTypeChanged(t, snap, now)
		}
		return
	}
	name = canonicalName(t, name, snap)
	if !q.admitDestination(t, name, originOf(first), snap, now) {
		return
	}
	if _, known := st.versions.get(name); !known || !first {
		st.versions.set(name, stateUnsent)
	}
	st.markDirty(name, now)
}

// unsubscribe removes a name. A wildcard client is still subscribed to it, and the protocol requires to send it once more. After the
// wildcard itself is removed, resources that were sent stay subscribed by name.
func (q *sequencer) unsubscribe(t resourcetype.Type, name string, now time.Time) {
	st := &q.types[t]
	if name == "*" {
		st.wildcard = false
		return
	}
	if _, known := st.versions.get(name); st.wildcard && !known && !st.sendsUnasked(name) {
		return
	}
	if st.wildcard {
		st.versions.set(name, stateUnsent)
		st.markDirty(name, now)
		return
	}
	q.forgetName(t, name)
	delete(st.dirty, name)
	st.bisector.Forget(name)
}

// canonicalName returns the snapshot's copy of a name, so that all streams share one string.
func canonicalName(t resourcetype.Type, name string, snap Snapshot) string {
	if c, ok := snap.Content(t, name); ok {
		return c.Name()
	}
	return name
}

// checkUnknownNames limits the memory for names that never existed for the client. Names that the client had are its own: when permissive
// mode ends, thousands of them disappear before it unsubscribes. Those of an earlier stream are limited by the size of a request.
func (q *sequencer) checkUnknownNames(t resourcetype.Type, req *discovery.DeltaDiscoveryRequest, snap Snapshot) error {
	versions := &q.types[t].versions
	if len(req.GetResourceNamesSubscribe())+len(req.GetResourceNamesUnsubscribe()) == 0 || versions.len() <= maxUnknownNames {
		return nil
	}
	unknown := 0
	for name, version := range versions.all() {
		if version != stateUnsent && version != stateAbsent && version != stateEmptyRoutes {
			continue
		}
		if _, ok := snap.Content(t, name); !ok {
			unknown++
		}
	}
	if unknown > maxUnknownNames {
		return fmt.Errorf("%d names in %s subscriptions do not exist, the limit is %d", unknown, t, maxUnknownNames)
	}
	return nil
}
