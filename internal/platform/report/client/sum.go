package client

import (
	"errors"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Sum counts the sidecars of a mesh.
type Sum struct {
	// Counts only includes replicas that responded.
	Counts report.Counts
	// ByRevision has the counts by MeshRevision.
	ByRevision map[string]report.Counts
	// Unknown are the replicas that did not respond. If there are any, Counts are incomplete.
	Unknown []string
}

// Total adds the sidecars of all replicas.
func Total(answers []Answer[report.Proxies]) Sum {
	sum := Sum{ByRevision: map[string]report.Counts{}}
	for _, answer := range answers {
		if answer.Err != nil {
			sum.Unknown = append(sum.Unknown, answer.Replica)
			continue
		}
		for _, p := range answer.Value.Proxies {
			one := p.Counts()
			sum.Counts = sum.Counts.Plus(one)
			sum.ByRevision[p.Revision] = sum.ByRevision[p.Revision].Plus(one)
		}
	}
	return sum
}

// ObjectSum counts the acknowledgements of a policy in a mesh.
type ObjectSum struct {
	Sidecars, Acknowledged, Rejected int
	// RespondedAt is the time of the last answer. It is zero if a sidecar has not answered, or a replica is unknown.
	RespondedAt time.Time
	Laggards    []string
	// Unknown are the replicas that did not respond.
	Unknown []string
	// Outdated are the replicas with another generation of the policy than requested.
	Outdated []string
}

// Combine adds the acknowledgements of all replicas for a generation of a policy. Generation 0 accepts any generation. It returns
// ErrNotFound if no replica has the policy.
func Combine(answers []Answer[report.Object], generation int64) (ObjectSum, error) {
	var sum ObjectSum
	missing, responded := 0, len(answers) > 0
	for _, answer := range answers {
		if answer.Err != nil {
			if errors.Is(answer.Err, ErrNotFound) {
				missing++
			}
			sum.Unknown = append(sum.Unknown, answer.Replica)
			responded = false
			continue
		}
		object := answer.Value
		if generation != 0 && object.Generation != 0 && object.Generation != generation {
			sum.Outdated = append(sum.Outdated, answer.Replica)
			responded = false
			continue
		}
		sum.Sidecars += object.Sidecars
		sum.Acknowledged += object.Acknowledged
		sum.Rejected += object.Rejected
		sum.Laggards = append(sum.Laggards, object.Laggards...)
		switch {
		case object.RespondedAt == nil:
			responded = false
		case object.RespondedAt.After(sum.RespondedAt):
			sum.RespondedAt = *object.RespondedAt
		}
	}
	if missing > 0 && missing == len(answers) {
		return sum, ErrNotFound
	}
	if !responded || sum.Acknowledged+sum.Rejected < sum.Sidecars {
		sum.RespondedAt = time.Time{}
	}
	return sum, nil
}
