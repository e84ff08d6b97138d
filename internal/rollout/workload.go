package rollout

import (
	"cmp"
	"time"
)

// Ref names a workload.
type Ref struct {
	// Kind is Deployment, StatefulSet or DaemonSet for what can be restarted; anything else, such as Job or Pod, cannot.
	Kind      string
	Namespace string
	Name      string
}

// String is "<kind> <namespace>/<name>".
func (r Ref) String() string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// Compare orders by namespace, kind and name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Namespace, other.Namespace), cmp.Compare(r.Kind, other.Kind), cmp.Compare(r.Name, other.Name))
}

// Restartable says whether a new pod template makes the workload replace its pods one after the other.
func (r Ref) Restartable() bool {
	return r.Kind == "Deployment" || r.Kind == "StatefulSet" || r.Kind == "DaemonSet"
}

// Workload is something whose pods carry sidecars, as it is now.
type Workload struct {
	Ref Ref
	// OptedOut is true when its owner keeps the operator from restarting it.
	OptedOut bool
	// OnDelete is true when its update strategy replaces a pod only after somebody has deleted it.
	OnDelete bool
	// Sidecars counts its live pods by the revision of their sidecars.
	Sidecars map[string]int
	// Starting counts those among them that have just started, and need not be connected yet; nil for none.
	Starting map[string]int
	// Settled is true when its last rollout is over and all its pods are ready.
	Settled bool
	// Restart is the operator's latest restart, as its pod template records it; the zero value is none.
	Restart Restart
	// ReadySince is when the last of its pods became ready; zero while it is not settled.
	ReadySince time.Time
	// Blocked names a PodDisruptionBudget that allows no disruption of its pods at the moment; empty when none forbids it.
	Blocked string
}

// Restart is a restart that the operator asked for.
type Restart struct {
	// Revision is the one whose sidecars the new pods were to get.
	Revision string
	At       time.Time
	// Again is true when it was the second one for that revision: the first had left old sidecars.
	Again bool
}

// doubt is how long a workload that was restarted in vain is looked at before it is restarted once more: its pods and what its own
// object says of them are not seen at the same moment.
const doubt = 10 * time.Second

// doubtful is for how much longer the workload is looked at before that.
func (w Workload) doubtful(now time.Time) time.Duration {
	latest := w.Restart.At
	if w.ReadySince.After(latest) {
		latest = w.ReadySince
	}
	return latest.Add(doubt).Sub(now)
}

// outdated says whether some sidecar of the workload is not of the target.
func (w Workload) outdated(target string) bool {
	for revision, n := range w.Sidecars {
		if revision != target && n > 0 {
			return true
		}
	}
	return false
}
