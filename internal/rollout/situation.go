package rollout

import (
	"cmp"
	"slices"
	"time"
)

// Strategy is the way from one version to the next.
type Strategy string

// The strategies.
const (
	// InPlace replaces the control plane of the whole mesh, then restarts workloads in waves.
	InPlace Strategy = "InPlace"
	// Canary runs the new control plane beside the old one for some namespaces first.
	Canary Strategy = "Canary"
)

// Revision is one version of a control plane, as it is now.
type Revision struct {
	Name string
	// Verified is when the revision had run the whole mesh and passed all gates, so that it can be gone back to; zero before.
	Verified time.Time
	// Rejected says why the revision was given up; empty as long as it was not. It is not tried again until the Mesh changes.
	Rejected string
	// Serving is true when all its pods are ready in the role that it shall have, so that new pods get its sidecars.
	Serving bool
	// Answering is true when at least one pod of its injector is ready, so that pods can start.
	Answering bool
}

// Situation is everything that decides the next step.
type Situation struct {
	Now      time.Time
	Strategy Strategy
	// Automatic is true when a failed gate leads back by itself.
	Automatic bool
	// Wanted is the name of the revision that the Mesh asks for. It need not be among Revisions yet.
	Wanted string
	// Revisions are those that exist.
	Revisions []Revision
	// Since is when the pods of the wanted control plane became ready; zero while they are not.
	Since time.Time
	// Base is the revision that runs the mesh's own Deployments, Beside the one that runs Deployments of its own; empty for none. One
	// that is both takes the mesh's own over.
	Base, Beside string
	// Injects is the revision beside whose injector the chosen namespaces get their sidecars from; empty while all get them from Base.
	Injects string
	// Refused says why the wanted revision cannot run beside another; empty when it can.
	Refused string
	// Verdicts are those of the gates on the wanted revision.
	Verdicts []Verdict
	// Workloads are all that carry sidecars of the mesh.
	Workloads []Workload
	// Chosen are the namespaces that move to a canary first, sorted.
	Chosen []string
	Limits Limits
}

// Phase is where a mesh is on its way.
type Phase string

// The phases. Settled and RolledBack last until the Mesh changes; Halted until people act.
const (
	// Installing: the first control plane of a mesh is coming up.
	Installing Phase = "Installing"
	// CanaryControlPlane: the new control plane comes up beside the old one, and is judged.
	CanaryControlPlane Phase = "CanaryControlPlane"
	// CanaryWorkloads: the chosen namespaces move to the new control plane, and are judged.
	CanaryWorkloads Phase = "CanaryWorkloads"
	// ControlPlane: the control plane of the mesh is replaced, and judged.
	ControlPlane Phase = "ControlPlane"
	// Workloads: workloads with outdated sidecars are restarted in waves, and judged.
	Workloads Phase = "Workloads"
	// Settled: the mesh runs the version that it asks for.
	Settled Phase = "Settled"
	// Halted: a gate has failed, and the way back is not automatic or leads nowhere.
	Halted Phase = "Halted"
	// RollingBack: control plane and workloads return to the last revision that was good.
	RollingBack Phase = "RollingBack"
	// RolledBack: they have returned.
	RolledBack Phase = "RolledBack"
)

// Plan is what shall be so now.
type Plan struct {
	Phase Phase
	// Base shall run the mesh's own Deployments, Beside Deployments of its own; empty for none.
	Base, Beside string
	// Injects is the revision beside whose injector shall give the chosen namespaces their sidecars; empty when Base shall.
	Injects string
	// Wave is what to do about outdated sidecars. It restarts nothing in phases that wait.
	Wave Wave
	// Verify is true when the wanted revision has passed everything.
	Verify bool
	// Reject says why the wanted revision is given up now; empty when it is not.
	Reject string
	// Retire are revisions that nothing needs any more, sorted.
	Retire []string
	// Waiting says what the phase waits for.
	Waiting string
}

func (s Situation) revision(name string) Revision {
	i := slices.IndexFunc(s.Revisions, func(r Revision) bool { return r.Name == name })
	if i < 0 {
		return Revision{Name: name}
	}
	return s.Revisions[i]
}

// Rejected says whether the wanted revision was given up.
func (s Situation) Rejected() bool { return s.revision(s.Wanted).Rejected != "" }

// lastGood is the revision to go back to: the one that was verified last, other than the wanted one; empty without one.
func (s Situation) lastGood() string {
	good := slices.DeleteFunc(slices.Clone(s.Revisions), func(r Revision) bool { return r.Verified.IsZero() || r.Name == s.Wanted })
	if len(good) == 0 {
		return ""
	}
	return slices.MaxFunc(good, func(a, b Revision) int {
		return cmp.Or(a.Verified.Compare(b.Verified), cmp.Compare(a.Name, b.Name))
	}).Name
}

// begun says whether some of these workloads were restarted for the wanted revision already.
func (s Situation) begun(these func(Workload) bool) bool {
	return slices.ContainsFunc(s.Workloads, func(w Workload) bool { return w.Restart.Revision == s.Wanted && these(w) })
}

// restartedAfter says whether a workload was restarted for the wanted revision after a moment.
func (s Situation) restartedAfter(moment time.Time) bool {
	return slices.ContainsFunc(s.Workloads, func(w Workload) bool {
		return w.Restart.Revision == s.Wanted && w.Restart.At.After(moment)
	})
}
