package upgrade

import (
	"cmp"
	"fmt"
	"time"
)

const (
	// Deadline is how long new pods may take to become ready, or to become ready again.
	Deadline = 10 * time.Minute
	// Soak is how long all new pods must stay ready.
	Soak = 30 * time.Second
	// RefusalPeriod is how often the start of a refused attempt is recorded.
	RefusalPeriod = time.Minute
)

// Attempt is a change of a component that has not succeeded. The zero value is none.
type Attempt struct {
	// Key identifies what is tried. What failed is tried again with another key only.
	Key string
	// Started is when the new objects were applied, or since when their pods are observed without interruption.
	Started time.Time
	// ReadySince is since when all new pods are ready. It is zero while one is not.
	ReadySince time.Time
	// Failure is why the last good objects returned. It is empty while the attempt is in progress.
	Failure string
}

// InProgress reports whether the new objects are applied and may still succeed or fail.
func (a Attempt) InProgress() bool { return a.Key != "" && a.Failure == "" }

// Observation is the input of Decide.
type Observation struct {
	Now time.Time
	// Key identifies the rendered objects and the circumstances in which they are tried.
	Key string
	// Latest is the recorded attempt.
	Latest Attempt
	// HasGood is true if the objects of pods that were ready are recorded. Unchanged is true if the rendered objects are the same.
	HasGood, Unchanged bool
	// NewVersion is true if an image differs from the recorded one, or another version of the operator has recorded it.
	NewVersion bool
	// ControlPlane is the rollout of the control plane that has not succeeded. It is empty if there is none.
	ControlPlane string
	// Other is another component whose attempt is in progress. It is empty if there is none.
	Other string
	// RolledOut is true if all pods have the rendered template and are ready.
	RolledOut bool
	// Problem is why pods are not ready.
	Problem string
	// Refused is true if the API server refused the objects of the attempt, as a policy engine does. Nothing has been tried then.
	Refused bool
	// Resumed is true if the attempt was not observed for a while: the API server or the operator was away, or the mesh was paused.
	Resumed bool
}

// Action is what to do about a component.
type Action int

// The actions.
const (
	// Install applies the rendered objects. There are no good ones to return to.
	Install Action = iota
	// Wait applies the last good objects until all gates pass.
	Wait
	// Try applies the rendered objects. Their pods have until the deadline.
	Try
	// Accept applies the rendered objects and records them as the last good ones.
	Accept
	// HoldBack applies the last good objects, because the rendered ones failed.
	HoldBack
)

// Decision is an action, with the attempt to record and the reason of Wait.
type Decision struct {
	Action  Action
	Attempt Attempt
	Reason  string
}

// Decide returns what to do about a component.
func Decide(o Observation) Decision {
	switch {
	case o.HasGood && o.Unchanged, !o.HasGood && o.RolledOut:
		return Decision{Action: Accept}
	case !o.HasGood:
		return Decision{Action: Install}
	case o.Latest.Key == o.Key && o.Latest.Failure != "":
		return Decision{Action: HoldBack, Attempt: o.Latest}
	case o.Latest.Key == o.Key:
		return judge(o)
	}
	if reason := waitingFor(o); reason != "" {
		return Decision{Action: Wait, Reason: reason}
	}
	return Decision{Action: Try, Attempt: Attempt{Key: o.Key, Started: o.Now}}
}

// judge decides about an attempt that is in progress.
func judge(o Observation) Decision {
	attempt := o.Latest
	switch {
	case !o.RolledOut && (o.Resumed || o.Refused && o.Now.Sub(attempt.Started) >= RefusalPeriod):
		// The pods have the whole time, which begins anew.
		attempt.Started, attempt.ReadySince = o.Now, time.Time{}
	case !o.RolledOut && o.Now.Sub(attempt.Started) > Deadline:
		attempt.ReadySince = time.Time{}
		attempt.Failure = fmt.Sprintf("its new pods were not ready %s after the change: %s", Deadline, cmp.Or(o.Problem, "some have the former template"))
		return Decision{Action: HoldBack, Attempt: attempt}
	case !o.RolledOut:
		attempt.ReadySince = time.Time{}
	case attempt.ReadySince.IsZero():
		attempt.ReadySince = o.Now
	case o.Now.Sub(attempt.ReadySince) >= Soak:
		return Decision{Action: Accept}
	}
	return Decision{Action: Try, Attempt: attempt}
}
