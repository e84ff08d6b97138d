package rollout

import (
	"cmp"
	"slices"
	"time"
)

// Revision is one version of a control plane, as it is now.
type Revision struct {
	Name string
	// Verified is when the revision had run the whole mesh and passed all gates, so that it can be gone back to; zero before.
	Verified time.Time
	// Rejected says why the revision was given up; empty as long as it was not. It is not tried again until the Mesh changes.
	Rejected string
	// Serving is true when its injector's pods are ready, so that new pods get its sidecars.
	Serving bool
}

// Situation is everything that decides the next step.
type Situation struct {
	Now time.Time
	// Automatic is true when a failed gate leads back by itself.
	Automatic bool
	// Wanted is the name of the revision that the Mesh asks for. It need not be among Revisions yet.
	Wanted string
	// Revisions are those that exist.
	Revisions []Revision
	// Since is when the pods of the wanted control plane became ready; zero while they are not.
	Since time.Time
	// Base is the revision that runs the mesh's Deployments; empty for none.
	Base string
	// Verdicts are those of the gates on the wanted revision.
	Verdicts []Verdict
	// Workloads are all that carry sidecars of the mesh.
	Workloads []Workload
	Limits    Limits
}

// Phase is where a mesh is on its way.
type Phase string

// The phases. Settled and RolledBack last until the Mesh changes; Halted until people act.
const (
	// Installing: the first control plane of a mesh is coming up.
	Installing Phase = "Installing"
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
	// Base shall run the mesh's Deployments.
	Base string
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

// begun says whether workloads were restarted for the wanted revision already.
func (s Situation) begun() bool { return s.restartedAfter(time.Time{}) }

// restartedAfter says whether a workload was restarted for the wanted revision after a moment.
func (s Situation) restartedAfter(moment time.Time) bool {
	return slices.ContainsFunc(s.Workloads, func(w Workload) bool {
		return w.Restart.Revision == s.Wanted && w.Restart.At.After(moment)
	})
}
