package rollout

import (
	"cmp"
	"time"
)

// Ref names a workload.
type Ref struct {
	// Kind is Deployment, StatefulSet or DaemonSet for workloads that can be restarted. Other kinds, such as Job or Pod, cannot.
	Kind      string
	Namespace string
	Name      string
}

// String is "<kind> <namespace>/<name>".
func (r Ref) String() string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// Compare orders workloads by namespace, kind and name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Namespace, other.Namespace), cmp.Compare(r.Kind, other.Kind), cmp.Compare(r.Name, other.Name))
}

// Restartable reports whether a changed pod template makes the workload replace its pods.
func (r Ref) Restartable() bool {
	return r.Kind == "Deployment" || r.Kind == "StatefulSet" || r.Kind == "DaemonSet"
}

// Workload is the observed state of a workload whose pods have sidecars.
type Workload struct {
	Ref Ref
	// OptedOut is true when an annotation excludes the workload from restarts.
	OptedOut bool
	// OnDelete is true when its update strategy is OnDelete: it replaces a pod only after the pod is deleted.
	OnDelete bool
	// Sidecars counts its live pods by the revision of their sidecars.
	Sidecars map[string]int
	// Starting counts those of Sidecars that have just started and may not be connected yet; nil for none.
	Starting map[string]int
	// Ready is true when its last rollout is complete and all its pods are ready.
	Ready bool
	// Restart is the operator's latest restart as recorded in the pod template; zero for none.
	Restart Restart
	// ReadySince is when the last of its pods became ready; zero while it is not Ready.
	ReadySince time.Time
	// Blocked names a PodDisruptionBudget that allows no disruption of its pods now; empty for none.
	Blocked string
}

// Restart is a restart by the operator.
type Restart struct {
	// Revision is the revision whose sidecars the new pods should get.
	Revision string
	At       time.Time
	// Retry is true for the second restart for that revision, after the first left outdated sidecars.
	Retry bool
}

// confirmationDelay is how long outdated sidecars must remain after a restart before the workload is restarted again. Pods and the status
// of their workload are observed at different times.
const confirmationDelay = 10 * time.Second

// confirmationLeft is the remaining confirmation delay of the workload.
func (w Workload) confirmationLeft(now time.Time) time.Duration {
	latest := w.Restart.At
	if w.ReadySince.After(latest) {
		latest = w.ReadySince
	}
	return latest.Add(confirmationDelay).Sub(now)
}

// isAbsent reports whether the workload has no pod with a sidecar now. While a workload replaces its only pod, it has none.
func (w Workload) isAbsent() bool {
	for _, n := range w.Sidecars {
		if n > 0 {
			return false
		}
	}
	return true
}

// isRestarting reports whether the workload was restarted for target and is not ready since.
func (w Workload) isRestarting(target string) bool {
	return w.Restart.Revision == target && !w.Ready && w.Ref.Restartable()
}

// isOutdated reports whether a sidecar of the workload is not of the target revision.
func (w Workload) isOutdated(target string) bool {
	for revision, n := range w.Sidecars {
		if revision != target && n > 0 {
			return true
		}
	}
	return false
}
