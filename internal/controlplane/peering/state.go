package peering

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/peering"
)

// Reason is why something of a peer is not accepted.
type Reason string

// Reasons for which single records are rejected. The earlier record of the same name remains.
const (
	// ReasonInvalid means that a record has parts that no mesh would send, or exceeds a limit.
	ReasonInvalid Reason = "InvalidRecord"
	// ReasonLaterFormat means that a record has a format of a later version.
	ReasonLaterFormat Reason = "LaterFormat"
	// ReasonUntrusted means that a record has no signature of the peer's control plane.
	ReasonUntrusted Reason = "UntrustedSignature"
	// ReasonWrongIssuer means that a record is one of another mesh.
	ReasonWrongIssuer Reason = "WrongIssuer"
	// ReasonWrongAudience means that a record was made for another mesh.
	ReasonWrongAudience Reason = "WrongAudience"
	// ReasonOldGeneration means that a record is older than the one that is known.
	ReasonOldGeneration Reason = "OldGeneration"
	// ReasonTooManyServices means that the peer exports more than peering.MaxServices.
	ReasonTooManyServices Reason = "TooManyServices"
	// ReasonTooManyBytes means that a record, or all of them, are too large.
	ReasonTooManyBytes Reason = "TooManyBytes"
)

// Reasons for which a stream ends.
const (
	// ReasonMessageTooLarge means that a message exceeds the limit.
	ReasonMessageTooLarge Reason = "MessageTooLarge"
	// ReasonProtocol means that the peer does not follow the protocol.
	ReasonProtocol Reason = "ProtocolError"
	// ReasonNoAnswer means that the peer sends or reads nothing for too long.
	ReasonNoAnswer Reason = "NoAnswer"
	// ReasonUnreachable means that there is no connection, or that it ended.
	ReasonUnreachable Reason = "Unreachable"
)

// StreamReasons returns the reasons for which a stream ends.
func StreamReasons() []Reason {
	return []Reason{ReasonMessageTooLarge, ReasonProtocol, ReasonNoAnswer, ReasonUnreachable}
}

// rejection is an error with its reason.
type rejection struct {
	reason Reason
	err    error
}

// Error implements error.
func (r *rejection) Error() string { return r.err.Error() }

// Unwrap returns the cause.
func (r *rejection) Unwrap() error { return r.err }

func reject(reason Reason, err error) error { return &rejection{reason, err} }

// rejectInvalid rejects a record that cannot be read.
func rejectInvalid(err error) error {
	if errors.Is(err, peering.ErrFormat) {
		return reject(ReasonLaterFormat, err)
	}
	return reject(ReasonInvalid, err)
}

// reasonOf returns the reason of an error.
func reasonOf(err error) Reason {
	var r *rejection
	if errors.As(err, &r) {
		return r.reason
	}
	return ReasonUnreachable
}

// shorten returns an error to keep, without the certificates that those of package x509 have.
func shorten(err error) error { return &rejection{reasonOf(err), errors.New(describeBriefly(err))} }

// Problem is something that is not accepted.
type Problem struct {
	Reason Reason
	// Count is how many records have it; 1 for a stream.
	Count int
	// Message describes the first of them by name, a sentence without a period.
	Message string
}

// State describes what is known of a peer.
type State struct {
	Peer string
	// Connected is true while there is a stream on which the peer has answered.
	Connected bool
	// LastConnected is when the peer last sent something; zero if it never did since the start.
	LastConnected time.Time
	// StaleSince is when the last stream ended; zero while there is one. After a start without a stream it is that of the start.
	StaleSince time.Time
	// Version is that of the peer's control plane; empty if it is not known.
	Version string
	// Compatible is false if the versions are more than one minor version apart.
	Compatible bool
	// Services and Bytes are how many Services are known, and the size of all records.
	Services, Bytes int
	// Fingerprints are the SHA-256 fingerprints of the roots that the peer has sent, in hexadecimal and in their order.
	Fingerprints []string
	// Acknowledged are those of the roots of this mesh that the peer now reports to trust, sorted; none while it is not connected.
	Acknowledged []string
	// Trusted are the roots for the peer.
	Trusted peering.Trusted
	// Problems are sorted by reason.
	Problems []Problem
}

// Problem returns the problem with a reason; ok is false without one.
func (s State) Problem(reason Reason) (problem Problem, ok bool) {
	i := slices.IndexFunc(s.Problems, func(p Problem) bool { return p.Reason == reason })
	if i < 0 {
		return Problem{}, false
	}
	return s.Problems[i], true
}

// problemsOf summarizes rejected records by reason, and adds that of the stream, nil for none.
func problemsOf(rejected map[string]error, stream error) []Problem {
	byReason := map[Reason]Problem{}
	for _, name := range slices.Sorted(maps.Keys(rejected)) {
		reason := reasonOf(rejected[name])
		problem, known := byReason[reason]
		if !known {
			problem = Problem{Reason: reason, Message: fmt.Sprintf("%q: %s", name, describeBriefly(rejected[name]))}
		}
		problem.Count++
		byReason[reason] = problem
	}
	if stream != nil {
		byReason[reasonOf(stream)] = Problem{Reason: reasonOf(stream), Count: 1, Message: describeBriefly(stream)}
	}
	return slices.SortedFunc(maps.Values(byReason), func(a, b Problem) int { return cmp.Compare(a.Reason, b.Reason) })
}
