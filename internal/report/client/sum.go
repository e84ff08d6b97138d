package client

import (
	"errors"
	"time"

	"github.com/openservicemesh/osm-operator/internal/report"
)

// Sum are the sidecars of a mesh.
type Sum struct {
	// Counts are of the replicas that answered.
	Counts report.Counts
	// ByRevision are the same by MeshRevision.
	ByRevision map[string]report.Counts
	// Unknown are the replicas that did not answer: when there is one, Counts are not the whole mesh.
	Unknown []string
}

// Total adds up what replicas say about their sidecars.
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

// ObjectSum is how far the sidecars of a mesh are with a policy.
type ObjectSum struct {
	Sidecars, Acknowledged, Rejected int
	// Settled is since when all sidecars have answered; zero when some have not, or a replica is unknown.
	Settled  time.Time
	Laggards []string
	// Unknown are the replicas that did not answer.
	Unknown []string
	// Outdated are the replicas that speak of another version of the policy than the one asked for.
	Outdated []string
}

// Combine adds up what replicas say about a version of a policy; generation 0 stands for whatever version each of them has. The
// error is ErrNotFound when all of them do not know the policy.
func Combine(answers []Answer[report.Object], generation int64) (ObjectSum, error) {
	var sum ObjectSum
	missing, settled := 0, len(answers) > 0
	for _, answer := range answers {
		if answer.Err != nil {
			if errors.Is(answer.Err, ErrNotFound) {
				missing++
			}
			sum.Unknown = append(sum.Unknown, answer.Replica)
			settled = false
			continue
		}
		object := answer.Value
		if generation != 0 && object.Generation != 0 && object.Generation != generation {
			sum.Outdated = append(sum.Outdated, answer.Replica)
			settled = false
			continue
		}
		sum.Sidecars += object.Sidecars
		sum.Acknowledged += object.Acknowledged
		sum.Rejected += object.Rejected
		sum.Laggards = append(sum.Laggards, object.Laggards...)
		switch {
		case object.Settled == nil:
			settled = false
		case object.Settled.After(sum.Settled):
			sum.Settled = *object.Settled
		}
	}
	if missing > 0 && missing == len(answers) {
		return sum, ErrNotFound
	}
	if !settled || sum.Acknowledged+sum.Rejected < sum.Sidecars {
		sum.Settled = time.Time{}
	}
	return sum, nil
}
