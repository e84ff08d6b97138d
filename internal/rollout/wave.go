package rollout

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// Limits bound the restarts of workloads.
type Limits struct {
	// MaxUnavailable is how many of the workloads of one namespace may be restarting or not ready at the same time, as a number or
	// a percentage, rounded up; at least one.
	MaxUnavailable intstr.IntOrString
	// Pause is how long a namespace rests after a workload of it has become ready again.
	Pause time.Duration
	// Manual restarts nothing and only says what is outdated.
	Manual bool
	// Only says which workloads are looked at; nil means all. The others count for what a namespace bears all the same.
	Only func(Workload) bool
	// Undo is a revision that was given up; empty for none. A workload that was restarted for it and is not ready is restarted at once:
	// its sidecars may be why it is not ready, and it does not become less so.
	Undo string
}

// Wave is what to do about outdated sidecars now.
type Wave struct {
	// Target is the revision whose sidecars restarted workloads get.
	Target string
	// Restart are the workloads to restart now, sorted.
	Restart []Ref
	// Underway are those that were restarted and are not ready yet, sorted.
	Underway []Ref
	// Waiting are outdated workloads whose turn comes, each with the reason, sorted by workload.
	Waiting []Note
	// Stuck are outdated workloads that cannot be restarted as they are; they are restarted when that changes, and nothing waits
	// for it. Sorted by workload.
	Stuck []Note
	// Manual are outdated workloads that only people can restart: those that opted out, Jobs and bare pods; sorted by workload.
	Manual []Note
	// Again is when to look again without an event; zero is never.
	Again time.Duration
}

// Note is a sentence about a workload.
type Note struct {
	Ref    Ref
	Reason string
}

// Done says whether nothing is left that the operator can restart.
func (w Wave) Done() bool {
	return len(w.Restart) == 0 && len(w.Underway) == 0 && len(w.Waiting) == 0
}

// NextWave chooses the workloads to restart so that their sidecars become those of the target revision.
func NextWave(workloads []Workload, target string, limits Limits, now time.Time) Wave {
	byNamespace := map[string][]Workload{}
	for _, w := range workloads {
		byNamespace[w.Ref.Namespace] = append(byNamespace[w.Ref.Namespace], w)
	}
	wave := Wave{Target: target}
	for _, group := range byNamespace {
		wave.namespace(group, target, limits, now)
	}
	slices.SortFunc(wave.Restart, Ref.Compare)
	slices.SortFunc(wave.Underway, Ref.Compare)
	byRef := func(a, b Note) int { return a.Ref.Compare(b.Ref) }
	slices.SortFunc(wave.Waiting, byRef)
	slices.SortFunc(wave.Stuck, byRef)
	slices.SortFunc(wave.Manual, byRef)
	return wave
}

// namespace adds what to do in one namespace.
func (w *Wave) namespace(group []Workload, target string, limits Limits, now time.Time) {
	slices.SortFunc(group, func(a, b Workload) int { return a.Ref.Compare(b.Ref) })
	restartable, unavailable := 0, 0
	var ended time.Time
	var outdated []Workload
	for _, load := range group {
		if load.Ref.Restartable() {
			restartable++
			if !load.Settled {
				unavailable++
			}
			if load.Restart.Revision == target && load.ReadySince.After(ended) {
				ended = load.ReadySince
			}
		}
		switch {
		case !load.outdated(target) || limits.Only != nil && !limits.Only(load):
		case !load.Ref.Restartable():
			w.byHand(load, "is not a Deployment, StatefulSet or DaemonSet: delete its pods, or let them end")
		case limits.Manual:
			w.byHand(load, "is outdated, and restarts are manual: restart it with kubectl rollout restart")
		case load.OptedOut:
			w.byHand(load, "opted out of restarts: restart it with kubectl rollout restart")
		case load.OnDelete:
			w.byHand(load, "replaces pods only when they are deleted: delete them one after the other")
		case limits.Undo != "" && load.Restart.Revision == limits.Undo && !load.Settled:
			w.Restart = append(w.Restart, load.Ref)
		case load.Restart.Revision == target && !load.Settled:
			w.Underway = append(w.Underway, load.Ref)
		case load.Restart.Revision == target && load.Restart.Again:
			w.byHand(load, "was restarted twice and has old sidecars all the same: see whether its pods are injected")
		case load.Restart.Revision == target && load.doubtful(now) > 0:
			w.wait(load, "it was restarted and has old sidecars all the same: it is looked at again, and restarted once more")
			w.again(load.doubtful(now))
		default:
			outdated = append(outdated, load)
		}
	}
	w.choose(outdated, limits.room(restartable)-unavailable, ended.Add(limits.Pause).Sub(now))
}

// choose restarts as many workloads as there is room for, once the namespace has rested.
func (w *Wave) choose(outdated []Workload, room int, rest time.Duration) {
	for _, load := range outdated {
		switch {
		case !load.Settled:
			w.Stuck = append(w.Stuck, Note{load.Ref, "its pods are not all ready: a restart would add to whatever is wrong with them"})
		case load.Blocked != "":
			w.Stuck = append(w.Stuck, Note{load.Ref, fmt.Sprintf("the PodDisruptionBudget %s allows no disruption now", load.Blocked)})
		case room < 1:
			w.wait(load, "as many workloads of the namespace are restarting, or not ready, as may be")
		case rest > 0:
			w.wait(load, "the namespace rests after its last restart")
			w.again(rest)
		default:
			w.Restart = append(w.Restart, load.Ref)
			room--
		}
	}
}

func (w *Wave) wait(load Workload, reason string) {
	w.Waiting = append(w.Waiting, Note{load.Ref, reason})
}

func (w *Wave) byHand(load Workload, reason string) {
	w.Manual = append(w.Manual, Note{load.Ref, reason})
}

func (w *Wave) again(after time.Duration) {
	if w.Again == 0 || after < w.Again {
		w.Again = after
	}
}

// room is how many of so many workloads may be unavailable.
func (l Limits) room(of int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&l.MaxUnavailable, of, true)
	if err != nil || n < 1 {
		// Admission refuses such values; one that is stored all the same must not stop upgrades for ever.
		return 1
	}
	return n
}
