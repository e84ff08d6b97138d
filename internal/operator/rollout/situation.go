package rollout

import (
	"cmp"
	"slices"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// Strategy is how a mesh is upgraded.
type Strategy string

// The strategies.
const (
	// InPlace replaces the control plane of the whole mesh, then restarts workloads in waves.
	InPlace Strategy = "InPlace"
	// Canary runs the new control plane next to the old one and moves some namespaces first.
	Canary Strategy = "Canary"
)

// Revision is the observed state of one version of the control plane.
type Revision struct {
	Name string
	// Verified is when the revision ran the whole mesh and passed all gates; zero before. A rollback returns to a verified revision.
	Verified time.Time
	// Rejected is why the upgrade to the revision failed; empty when it did not. A rejected revision is not retried until the Mesh changes.
	Rejected string
	// Serving is true when all its pods are ready in the role that the revision has.
	Serving bool
	// InjectorReady is true when at least one pod of its injector is ready, so that pods can start.
	InjectorReady bool
}

// Situation is the input of a plan.
type Situation struct {
	Now      time.Time
	Strategy Strategy
	// AutomaticRollback is true when a failed gate starts a rollback.
	AutomaticRollback bool
	// Desired is the name of the revision that the Mesh declares. It may be missing in Revisions.
	Desired string
	// Revisions are the existing revisions.
	Revisions []Revision
	// ReadySince is when the pods of the desired control plane became ready; zero while they are not.
	ReadySince time.Time
	// Active is the revision that runs the mesh's own Deployments, Canary the one that runs separate Deployments; empty for none. A
	// revision that is both is being promoted.
	Active, Canary string
	// CanaryInjector is the canary revision whose injector serves the canary namespaces; empty while the active revision serves all.
	CanaryInjector string
	// CanaryUnsupported is why the desired revision cannot run as a canary; empty when it can.
	CanaryUnsupported string
	// Verdicts are the results of the gates for the desired revision.
	Verdicts []Verdict
	// Workloads are all workloads with sidecars of the mesh.
	Workloads []Workload
	// CanaryNamespaces are the namespaces that move to a canary first, sorted.
	CanaryNamespaces []string
	Limits           Limits
}

// Phase is the phase of an upgrade.
type Phase string

// The phases. Idle and RolledBack last until the Mesh changes; Halted until a user acts.
const (
	// Installing: the first control plane of a mesh is starting.
	Installing Phase = "Installing"
	// CanaryControlPlane: the canary control plane starts, and the gates are evaluated.
	CanaryControlPlane Phase = "CanaryControlPlane"
	// CanaryWorkloads: the canary namespaces move to the canary, and the gates are evaluated.
	CanaryWorkloads Phase = "CanaryWorkloads"
	// ControlPlane: the control plane of the mesh is replaced, and the gates are evaluated.
	ControlPlane Phase = "ControlPlane"
	// Workloads: workloads with outdated sidecars are restarted in waves, and the gates are evaluated.
	Workloads Phase = "Workloads"
	// Idle: the mesh runs the desired version and no upgrade is in progress.
	Idle Phase = "Idle"
	// Halted: a gate has failed, and rollback is not automatic or has no revision to return to.
	Halted Phase = "Halted"
	// RollingBack: control plane and workloads return to the last good revision.
	RollingBack Phase = "RollingBack"
	// RolledBack: the rollback is complete.
	RolledBack Phase = "RolledBack"
)

// Plan is the desired state computed from the current situation.
type Plan struct {
	Phase Phase
	// Active is the revision to run the mesh's own Deployments, Canary the one to run separate Deployments; empty for none.
	Active, Canary string
	// CanaryInjector is the canary revision whose injector serves the canary namespaces; empty when the active revision serves all.
	CanaryInjector string
	// Wave lists the restarts of workloads with outdated sidecars.
	Wave Wave
	// Verify is true when the desired revision has passed all gates.
	Verify bool
	// Reject is why the desired revision is rejected now; empty when it is not.
	Reject string
	// Retire are revisions that are no longer used, sorted.
	Retire []string
	// Waiting is what the phase waits for.
	Waiting string
	// CanaryBlocked is true when the phase is Halted because of the settings of the canary, and not because of a gate.
	CanaryBlocked bool
}

func (s Situation) revision(name string) Revision {
	i := slices.IndexFunc(s.Revisions, func(r Revision) bool { return r.Name == name })
	if i < 0 {
		return Revision{Name: name}
	}
	return s.Revisions[i]
}

// Rejected reports whether the desired revision is rejected.
func (s Situation) Rejected() bool { return s.revision(s.Desired).Rejected != "" }

// lastGood is the revision to roll back to: the latest verified revision other than the desired one; empty without one.
func (s Situation) lastGood() string {
	good := slices.DeleteFunc(slices.Clone(s.Revisions), func(r Revision) bool { return r.Verified.IsZero() || r.Name == s.Desired })
	if len(good) == 0 {
		return ""
	}
	return slices.MaxFunc(good, func(a, b Revision) int {
		return cmp.Or(a.Verified.Compare(b.Verified), cmp.Compare(a.Name, b.Name))
	}).Name
}

// hasRestarted reports whether a workload that matches was restarted, or upgraded in place, for the desired revision.
func (s Situation) hasRestarted(matches func(Workload) bool) bool {
	return slices.ContainsFunc(s.Workloads, func(w Workload) bool { return !w.ChangedAt(s.Desired, s.Limits).IsZero() && matches(w) })
}

// hasRestartedAfter reports whether a workload was restarted for the desired revision after a point in time.
func (s Situation) hasRestartedAfter(moment time.Time) bool {
	return slices.ContainsFunc(s.Workloads, func(w Workload) bool {
		return w.ChangedAt(s.Desired, s.Limits).After(moment)
	})
}

// Ref names a workload.
type Ref struct {
	// Kind is the kind, such as Deployment. One that does not belong to Kubernetes has its group, as for kubectl: Rollout.argoproj.io. Pods
	// without an owner have the kind Pod. Without a name, the Ref stands for all workloads of a kind, none of which can be read.
	Kind      string
	Namespace string
	Name      string
}

// String is "<kind> <namespace>/<name>".
func (r Ref) String() string {
	if r.isKind() {
		return "each " + r.Kind
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// isKind reports whether the Ref stands for all workloads of a kind.
func (r Ref) isKind() bool { return r.Name == "" }

// Compare orders workloads by namespace, kind and name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(r.Namespace, other.Namespace), cmp.Compare(r.Kind, other.Kind), cmp.Compare(r.Name, other.Name))
}

// Restartable reports whether the operator knows how to make a workload of this kind replace its pods.
func (r Ref) Restartable() bool {
	switch r.Kind {
	case "Deployment", "StatefulSet", "DaemonSet", "Rollout.argoproj.io", "CloneSet.apps.kruise.io", "StatefulSet.apps.kruise.io",
		"DeploymentConfig.apps.openshift.io":
		return true
	}
	return false
}

// restartHint is how a user restarts the workload.
func (r Ref) restartHint() string {
	switch r.Kind {
	case "Rollout.argoproj.io":
		return "restart it with kubectl argo rollouts restart"
	case "CloneSet.apps.kruise.io", "StatefulSet.apps.kruise.io", "DeploymentConfig.apps.openshift.io":
		return "restart it"
	}
	return "restart it with kubectl rollout restart"
}

// Workload is the observed state of a workload whose pods have sidecars.
type Workload struct {
	Ref Ref
	// OptedOut is true when an annotation excludes the workload from restarts.
	OptedOut bool
	// OnDelete is true when a new pod template alone does not replace its pods: because of its update strategy, or because it is paused.
	OnDelete bool
	// AtOnce is true when a restart ends all its pods before new ones start, as the update strategy Recreate does.
	AtOnce bool
	// Unread is why the object of the workload cannot be read; empty if it was, and if it does not exist.
	Unread string
	// Accounts are the service accounts of its live pods, sorted.
	Accounts []identity.ServiceAccount
	// Sidecars counts its live pods by the revision of their sidecars.
	Sidecars map[string]int
	// Lost counts the sidecars on nodes that are not ready, by revision. They are among Sidecars, and nothing can be done about them now.
	Lost map[string]int
	// Slotted are those of its live pods that have two slots. They are among Sidecars by the revision that injected them.
	Slotted []SlottedPod
	// Running are those of its pods whose sidecars should be connected: they have started on a ready node, and not just now. Pods whose
	// sidecars cannot start are among them, with the problem.
	Running []Sidecar
	// Ready is true when its last rollout is complete, and at most Tolerated of its pods on ready nodes are not ready.
	Ready bool
	// Held is why it is not Ready though all its pods are: its controller waits, or is absent. Empty otherwise.
	Held string
	// Unobserved is true if its controller has not observed its latest change.
	Unobserved bool
	// Restart is the operator's latest restart as recorded in the pod template; zero for none.
	Restart Restart
	// ReadySince is when the last of its pods became ready; zero while it is not Ready.
	ReadySince time.Time
	// Progressed is when the latest of its pods was created, or became ready.
	Progressed time.Time
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

// observeTimeout is how long the controller of a workload may need until it observes a restart. After that it counts as absent.
const observeTimeout = 2 * time.Minute

// repeatAfter is how long the controller of a workload may need until it observes a restart before the restart is written once more.
const repeatAfter = 30 * time.Second

// isMissed reports whether the controller of the workload may have lost its first restart. Argo Rollouts 1.9 writes the answer to each change of a status
// into its cache, also if the cache has a newer object already. A restart that comes together with the end of a canary is so forgotten until the next
// change.
func (w Workload) isMissed(now time.Time) bool {
	return w.Unobserved && !w.Ready && !w.Restart.Retry && !now.Before(w.Restart.At.Add(repeatAfter))
}

// isRestarting reports whether the workload was restarted for target and is not ready since.
func (w Workload) isRestarting(target string, now time.Time) bool {
	return w.Restart.Revision == target && !w.Ready && w.Ref.Restartable() && !w.isAbandoned(now)
}

// isAbandoned reports whether the controller of the workload has not observed its restart in time.
func (w Workload) isAbandoned(now time.Time) bool {
	return w.Unobserved && !w.Ready && !now.Before(w.Restart.At.Add(observeTimeout))
}

// isUnavailable reports whether the workload is being restarted for target, or has pods that are not ready.
func (w Workload) isUnavailable(target string, now time.Time) bool {
	return w.isRestarting(target, now) || !w.Ready && w.Held == ""
}

// notReadyReason is why the workload is not restarted while it is not Ready.
func (w Workload) notReadyReason() string {
	return cmp.Or(w.Held, "its pods are not all ready: it is restarted when they are")
}

// isOutdated reports whether a sidecar of the workload is not of the target revision.
func (w Workload) isOutdated(target string, limits Limits) bool {
	restart, inPlace := w.Outdated(target, limits)
	return restart > 0 || len(inPlace) > 0
}
