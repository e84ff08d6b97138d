package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// deployment is a settled workload whose sidecars are of a revision.
func deployment(namespace, name, revision string, change ...func(*Workload)) Workload {
	w := Workload{
		Ref:      Ref{Kind: "Deployment", Namespace: namespace, Name: name},
		Sidecars: map[string]int{revision: 2}, Settled: true, ReadySince: noon.Add(-time.Hour),
	}
	for _, c := range change {
		c(&w)
	}
	return w
}

func names(refs []Ref) (list []string) {
	for _, r := range refs {
		list = append(list, r.Name)
	}
	return list
}

func noted(notes []Note) (list []string) {
	for _, n := range notes {
		list = append(list, n.Ref.Name)
	}
	return list
}

// wanted is what a wave shall be, by the names of the workloads.
type wanted struct{ restart, underway, waiting, stuck, manual []string }

// waveCase is a situation with the wave that it shall have.
type waveCase struct {
	workloads []Workload
	limits    Limits
	want      wanted
}

var one = Limits{MaxUnavailable: intstr.FromInt32(1)}

func restarted(w *Workload) { w.Restart = Restart{Revision: "new", At: noon.Add(-time.Minute)} }

func notReady(w *Workload) { w.Settled = false }

func TestNextWave(t *testing.T) {
	checkWaves(t, map[string]waveCase{
		"nothing is outdated": {[]Workload{deployment("a", "x", "new")}, one, wanted{}},
		"one at a time": {
			[]Workload{deployment("a", "x", "old"), deployment("a", "y", "old")},
			one,
			wanted{restart: []string{"x"}, waiting: []string{"y"}},
		},
		"each namespace counts for itself": {
			[]Workload{deployment("a", "x", "old"), deployment("b", "y", "old")}, one, wanted{restart: []string{"x", "y"}},
		},
		"a percentage is rounded up": {
			[]Workload{deployment("a", "w", "old"), deployment("a", "x", "old"), deployment("a", "y", "old")},
			Limits{MaxUnavailable: intstr.FromString("34%")},
			wanted{restart: []string{"w", "x"}, waiting: []string{"y"}},
		},
		"what is under way takes the room": {
			[]Workload{deployment("a", "x", "old", restarted, notReady), deployment("a", "y", "old")},
			one,
			wanted{underway: []string{"x"}, waiting: []string{"y"}},
		},
		"what somebody else broke takes the room, and is not touched": {
			[]Workload{deployment("a", "x", "old", notReady), deployment("a", "y", "old")},
			one,
			wanted{stuck: []string{"x"}, waiting: []string{"y"}},
		},
		"a broken workload without old sidecars takes the room too": {
			[]Workload{deployment("a", "x", "new", notReady), deployment("a", "y", "old")}, one, wanted{waiting: []string{"y"}},
		},
		"manual": {
			[]Workload{deployment("a", "x", "old")}, Limits{MaxUnavailable: intstr.FromInt32(1), Manual: true}, wanted{manual: []string{"x"}},
		},
		"opted out": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.OptedOut = true })}, one, wanted{manual: []string{"x"}},
		},
		"on delete": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.OnDelete = true })}, one, wanted{manual: []string{"x"}},
		},
		"a Job and a bare pod are told about": {
			[]Workload{
				deployment("a", "x", "old", func(w *Workload) { w.Ref.Kind = "Job" }),
				deployment("a", "y", "old", func(w *Workload) { w.Ref.Kind = "Pod" }),
			}, one, wanted{manual: []string{"x", "y"}},
		},
		"a disruption budget": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.Blocked = "x" }), deployment("a", "y", "old")},
			one,
			wanted{stuck: []string{"x"}, restart: []string{"y"}},
		},
	})
}

// What was restarted already, for this version or for one that was given up.
func TestNextWaveAfterRestarts(t *testing.T) {
	checkWaves(t, map[string]waveCase{
		"restarted in vain, once more": {
			[]Workload{deployment("a", "x", "old", restarted)}, one, wanted{restart: []string{"x"}},
		},
		"restarted in vain a moment ago": {
			[]Workload{deployment("a", "x", "old", restarted, func(w *Workload) { w.ReadySince = noon.Add(-9 * time.Second) })}, one, wanted{waiting: []string{"x"}},
		},
		"restarted in vain, and pods are not seen yet": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.Restart = Restart{Revision: "new", At: noon.Add(-9 * time.Second)} })},
			one,
			wanted{waiting: []string{"x"}},
		},
		"restarted in vain twice": {
			[]Workload{deployment("a", "x", "old", restarted, func(w *Workload) { w.Restart.Again = true })}, one, wanted{manual: []string{"x"}},
		},
		"what was restarted for a version that was given up is not waited for": {
			[]Workload{
				deployment("a", "x", "bad", notReady, func(w *Workload) { w.Restart = Restart{Revision: "bad", At: noon} }),
				deployment("a", "y", "bad", func(w *Workload) { w.Restart = Restart{Revision: "bad", At: noon} }),
				deployment("a", "z", "old", notReady),
			},
			Limits{MaxUnavailable: intstr.FromInt32(1), Undo: "bad"},
			wanted{restart: []string{"x"}, waiting: []string{"y"}, stuck: []string{"z"}},
		},
		"the namespace rests": {
			[]Workload{
				deployment("a", "x", "new", restarted, func(w *Workload) { w.ReadySince = noon.Add(-10 * time.Second) }),
				deployment("a", "y", "old"), deployment("b", "z", "old"),
			},
			Limits{MaxUnavailable: intstr.FromInt32(1), Pause: time.Minute},
			wanted{waiting: []string{"y"}, restart: []string{"z"}},
		},
	})
}

func checkWaves(t *testing.T, cases map[string]waveCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := NextWave(c.workloads, "new", c.limits, noon)
			got := wanted{names(w.Restart), names(w.Underway), noted(w.Waiting), noted(w.Stuck), noted(w.Manual)}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(wanted{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRestIsLookedAtAgain(t *testing.T) {
	w := NextWave([]Workload{
		deployment("a", "x", "new", func(w *Workload) { w.Restart.Revision, w.ReadySince = "new", noon.Add(-10*time.Second) }),
		deployment("a", "y", "old"),
	}, "new", Limits{Pause: time.Minute}, noon)
	if w.Again != 50*time.Second {
		t.Errorf("look again after %s, want 50s", w.Again)
	}
}

// TestNoWaveExceedsItsRoom holds for any workloads: those that are not ready and those that are restarted now are together no
// more than allowed, unless others had broken more before.
func TestNoWaveExceedsItsRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{MaxUnavailable: intstr.FromInt32(rapid.Int32Range(-1, 4).Draw(t, "max"))}
		workloads := drawWorkloads(t, []string{"old", "new"})
		wave := NextWave(workloads, "new", limits, noon)
		for _, namespace := range []string{"a", "b"} {
			broken, restarts := 0, 0
			for _, w := range workloads {
				if w.Ref.Namespace == namespace && w.Ref.Restartable() && !w.Settled {
					broken++
				}
			}
			for _, r := range wave.Restart {
				if r.Namespace == namespace {
					restarts++
				}
			}
			if room := max(1, int(limits.MaxUnavailable.IntVal)); restarts > max(0, room-broken) {
				t.Fatalf("in namespace %s %d restarts beside %d that are not ready, with room for %d", namespace, restarts, broken, room)
			}
		}
		for _, ref := range wave.Restart {
			for _, w := range workloads {
				if w.Ref == ref && (!w.Ref.Restartable() || w.OptedOut || w.Blocked != "" || !w.Settled) {
					t.Fatalf("%s is restarted, but is %+v", ref, w)
				}
				if w.Ref == ref && w.Restart.Revision == "new" && w.Restart.Again {
					t.Fatalf("%s is restarted a third time for one revision: %+v", ref, w)
				}
			}
		}
	})
}

func drawWorkloads(t *rapid.T, revisions []string) []Workload {
	var list []Workload
	for i := range rapid.IntRange(0, 8).Draw(t, "workloads") {
		w := Workload{
			Ref: Ref{
				Kind:      rapid.SampledFrom([]string{"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"}).Draw(t, "kind"),
				Namespace: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace"), Name: string(rune('a' + i)),
			},
			OptedOut: rapid.IntRange(0, 5).Draw(t, "opted out") == 0,
			Sidecars: map[string]int{rapid.SampledFrom(revisions).Draw(t, "revision"): 1},
			Settled:  rapid.IntRange(0, 3).Draw(t, "settled") > 0,
		}
		if rapid.IntRange(0, 5).Draw(t, "blocked") == 0 {
			w.Blocked = "budget"
		}
		if rapid.Bool().Draw(t, "restarted") {
			w.Restart = Restart{Revision: rapid.SampledFrom(revisions).Draw(t, "for"), At: noon.Add(-time.Hour), Again: rapid.Bool().Draw(t, "again")}
		}
		if w.Settled {
			w.ReadySince = noon.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "ready")) * time.Second)
		}
		list = append(list, w)
	}
	return list
}
