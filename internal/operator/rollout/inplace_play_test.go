package rollout

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// play simulates the kubelets and launchers of a mesh whose sidecars are upgraded in place.
type play struct {
	t *testing.T
	s Situation
	// broken is an image whose Envoy never has its whole configuration.
	broken string
	// cannotPull reports whether a pod cannot pull the image of the revision new; nil if all can. attempts counts how often each has tried.
	cannotPull func(SlottedPod) bool
	attempts   map[string]int
	// drain is how long connections of an earlier Envoy last.
	drain time.Duration
	// changed is when the image of a slot changed, and ends when its Envoy has drained, by pod and slot.
	changed, ends map[string]time.Time
}

func newPlay(t *testing.T, workloads, pods int) *play {
	p := &play{t: t, drain: 10 * time.Minute, changed: map[string]time.Time{}, ends: map[string]time.Time{}, attempts: map[string]int{}}
	p.s = Situation{
		Now: noon, Strategy: InPlace, AutomaticRollback: true, Desired: "new", Active: "new", ReadySince: hourAgo, Limits: inPlace(),
		Revisions: []Revision{{Name: "old", Verified: hourAgo, Serving: true}, {Name: "new", Serving: true}},
	}
	p.s.Limits.MaxConcurrent = 2
	for i := range workloads {
		load := slotted(fmt.Sprint("n", i%2), fmt.Sprint("w", i))
		for j := range pods {
			pod := outdatedPod
			pod.Namespace, pod.Pod, pod.UID = load.Ref.Namespace, fmt.Sprintf("%s-%d", load.Ref.Name, j), fmt.Sprintf("%s-%d", load.Ref.Name, j)
			load.Slotted = append(load.Slotted, pod)
		}
		load.Sidecars["old"] = pods
		p.s.Workloads = append(p.s.Workloads, load)
	}
	return p
}

// pass lets ten seconds pass: containers start, Envoys take over, and others have drained.
func (p *play) pass() {
	p.s.Now = p.s.Now.Add(10 * time.Second)
	for i := range p.s.Workloads {
		for j := range p.s.Workloads[i].Slotted {
			pod := &p.s.Workloads[i].Slotted[j]
			for k := range pod.Slots {
				slot, other := &pod.Slots[k], &pod.Slots[1-k]
				key := pod.UID + slot.Name
				if ends := p.ends[key]; slot.Role == report.Draining && p.s.Now.After(ends) {
					slot.Role = ""
				}
				if p.changed[key].IsZero() {
					continue
				}
				if p.cannotPull != nil && slot.Image == newEnvoy && p.cannotPull(*pod) {
					slot.Started, slot.Problem = time.Time{}, "ErrImagePull"
					p.attempts[pod.UID]++
					delete(p.changed, key)
					continue
				}
				slot.Started, slot.Problem = p.changed[key].Add(time.Second), ""
				switch slot.Image {
				case other.Image:
					slot.Role = ""
				case p.broken:
					slot.Role = report.Starting
				default:
					slot.Role, other.Role, p.ends[pod.UID+other.Name] = report.Serving, report.Draining, p.s.Now.Add(p.drain)
				}
				delete(p.changed, key)
			}
		}
	}
}

// patch changes images as a plan says, and checks that no slot that serves or drains is changed.
func (p *play) patch(wave Wave) {
	for _, patch := range slices.Concat(TakeBacks(p.s.Workloads, p.s.Now), wave.Patches, wave.Align) {
		for i := range p.s.Workloads {
			for j := range p.s.Workloads[i].Slotted {
				pod := &p.s.Workloads[i].Slotted[j]
				for k := range pod.Slots {
					slot := &pod.Slots[k]
					if pod.UID != patch.UID || slot.Name != patch.Slot {
						continue
					}
					if slot.Role == report.Serving || slot.Role == report.Draining {
						p.t.Fatalf("%+v changes a slot that is %s", patch, slot.Role)
					}
					slot.Image, pod.Patched, pod.TakenBack = patch.Image, p.s.Now, ""
					if patch.TakesBack != "" {
						pod.TakenBack = ImageKey(patch.TakesBack)
					}
					p.changed[pod.UID+slot.Name] = p.s.Now
				}
			}
		}
	}
}

// run follows plans for a time.
func (p *play) run(d time.Duration, isDone func(Plan) bool) {
	p.t.Helper()
	for end := p.s.Now.Add(d); p.s.Now.Before(end); p.pass() {
		handOvers := CountHandovers(p.s.Workloads, p.s.Desired, p.s.Limits, p.s.Now)
		p.s.Verdicts = []Verdict{sidecarsTakenOver(Observation{Handovers: handOvers}, Bounds{})}
		plan := NextPlan(p.s)
		if n := len(plan.Wave.Upgrading); n > p.s.Limits.MaxConcurrent {
			p.t.Fatalf("%d workloads are upgraded at the same time", n)
		}
		if len(plan.Wave.Restart) > 0 {
			p.t.Fatalf("%v are restarted", plan.Wave.Restart)
		}
		p.patch(plan.Wave)
		if plan.Verify {
			p.s.Revisions[1].Verified = p.s.Now
		}
		if plan.Reject != "" {
			p.s.Revisions[1].Rejected, p.s.Active = plan.Reject, "old"
		}
		if isDone(plan) {
			return
		}
	}
	p.t.Fatalf("not done after %s: %+v", d, NextPlan(p.s))
}

func (p *play) haveImages(image string) bool {
	for _, load := range p.s.Workloads {
		for _, pod := range load.Slotted {
			if pod.Slots[0].Image != image || pod.Slots[1].Image != image {
				return false
			}
		}
	}
	return true
}

// TestPlayOfAnUpgradeInPlace upgrades all pods, waits for the drains, and goes back.
func TestPlayOfAnUpgradeInPlace(t *testing.T) {
	p := newPlay(t, 5, 5)
	p.run(time.Hour, func(plan Plan) bool { return plan.Verify })
	p.run(time.Hour, func(Plan) bool { return p.haveImages(newEnvoy) })
	p.s.Desired, p.s.Active = "old", "old"
	p.s.Revisions = []Revision{{Name: "new", Verified: p.s.Now, Serving: true}, {Name: "old", Serving: true}}
	p.run(time.Hour, func(plan Plan) bool { return plan.Verify })
	p.run(time.Hour, func(Plan) bool { return p.haveImages(oldEnvoy) })
}

// TestPlayOfABrokenImage rolls back, without a change of a serving slot.
func TestPlayOfABrokenImage(t *testing.T) {
	p := newPlay(t, 5, 5)
	p.broken = newEnvoy
	p.run(time.Hour, func(plan Plan) bool { return plan.Phase == RolledBack && p.haveImages(oldEnvoy) })
	for _, load := range p.s.Workloads {
		for _, pod := range load.Slotted {
			if pod.Slots[0].Role != report.Serving {
				t.Errorf("the slot of %s that served does not", pod.Pod)
			}
		}
	}
}

// TestPlayOfARollbackAfterHandovers rejects the version when some pods have been upgraded. They go back after the drain.
func TestPlayOfARollbackAfterHandovers(t *testing.T) {
	p := newPlay(t, 5, 5)
	p.run(time.Hour, func(Plan) bool {
		return CountHandovers(p.s.Workloads, "new", p.s.Limits, p.s.Now).Done > 7
	})
	p.s.Revisions[1].Rejected, p.s.Active = "requests fail", "old"
	p.run(2*time.Hour, func(plan Plan) bool { return plan.Phase == RolledBack && p.haveImages(oldEnvoy) })
}

// unready returns the pods with a slot that does not start.
func (p *play) unready() []string {
	var found []string
	for _, load := range p.s.Workloads {
		for _, pod := range load.Slotted {
			if pod.Slots[0].Problem != "" || pod.Slots[1].Problem != "" {
				found = append(found, pod.UID)
			}
		}
	}
	return found
}

// TestPlayOfPodsThatCannotPull has namespaces with pull secrets that have expired. Each pod tries once at most, and one for each set of pull secrets. It is
// not ready for one pass at most. A single namespace does not stop the others; several do.
func TestPlayOfPodsThatCannotPull(t *testing.T) {
	for expired := 1; expired <= 2; expired++ {
		p := newPlay(t, 0, 0)
		p.s.Limits.MaxConcurrent = 100
		for i := range 12 {
			namespace := fmt.Sprint("n", i%6)
			load := slotted(namespace, fmt.Sprint("w", i))
			for j := range 5 {
				pod := outdatedPod
				pod.Namespace, pod.Pod, pod.UID = namespace, fmt.Sprintf("w%d-%d", i, j), fmt.Sprintf("w%d-%d", i, j)
				pod.PullSecrets = "ecr"
				load.Slotted = append(load.Slotted, pod)
			}
			load.Sidecars["old"] = 5
			p.s.Workloads = append(p.s.Workloads, load)
		}
		p.cannotPull = func(pod SlottedPod) bool { return pod.Namespace < fmt.Sprint("n", expired) }
		var before []string
		p.run(time.Hour, func(plan Plan) bool {
			for _, pod := range p.unready() {
				if slices.Contains(before, pod) {
					t.Fatalf("%s is not ready for longer than one pass", pod)
				}
			}
			before = p.unready()
			return plan.Verify || plan.Phase == RolledBack && p.haveImages(oldEnvoy)
		})
		if len(p.attempts) != expired {
			t.Errorf("%d expired: the pods %v tried, want one of each namespace", expired, p.attempts)
		}
		for pod, n := range p.attempts {
			if n > 1 {
				t.Errorf("%d expired: %s tried %d times", expired, pod, n)
			}
		}
		if isVerified := !p.s.Revisions[1].Verified.IsZero(); isVerified != (expired == 1) {
			t.Errorf("%d expired: the upgrade is verified: %t", expired, isVerified)
		}
	}
}
