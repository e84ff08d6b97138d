package rollout

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// deployment is a ready Deployment with sidecars of a revision.
func deployment(namespace, name, revision string, change ...func(*Workload)) Workload {
	w := Workload{
		Ref:      Ref{Kind: "Deployment", Namespace: namespace, Name: name},
		Sidecars: map[string]int{revision: 2}, Ready: true, ReadySince: noon.Add(-time.Hour),
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

func namesOfNotes(notes []Note) (list []string) {
	for _, n := range notes {
		list = append(list, n.Ref.Name)
	}
	return list
}

// wantWave is an expected wave by the names of the workloads.
type wantWave struct{ restart, inProgress, waiting, blocked, manual []string }

// waveCase has the workloads and the expected wave.
type waveCase struct {
	workloads []Workload
	limits    Limits
	want      wantWave
}

var one = Limits{MaxUnavailable: intstr.FromInt32(1)}

func restarted(w *Workload) { w.Restart = Restart{Revision: "new", At: noon.Add(-time.Minute)} }

func notReady(w *Workload) { w.Ready = false }

func TestNextWave(t *testing.T) {
	checkWaves(t, map[string]waveCase{
		"nothing is outdated": {[]Workload{deployment("a", "x", "new")}, one, wantWave{}},
		"one at a time": {
			[]Workload{deployment("a", "x", "old"), deployment("a", "y", "old")},
			one,
			wantWave{restart: []string{"x"}, waiting: []string{"y"}},
		},
		"each namespace is limited separately": {
			[]Workload{deployment("a", "x", "old"), deployment("b", "y", "old")}, one, wantWave{restart: []string{"x", "y"}},
		},
		"a percentage is rounded up": {
			[]Workload{deployment("a", "w", "old"), deployment("a", "x", "old"), deployment("a", "y", "old")},
			Limits{MaxUnavailable: intstr.FromString("34%")},
			wantWave{restart: []string{"w", "x"}, waiting: []string{"y"}},
		},
		"a restart in progress counts as unavailable": {
			[]Workload{deployment("a", "x", "old", restarted, notReady), deployment("a", "y", "old")},
			one,
			wantWave{inProgress: []string{"x"}, waiting: []string{"y"}},
		},
		"a workload that is not ready counts as unavailable and is blocked": {
			[]Workload{deployment("a", "x", "old", notReady), deployment("a", "y", "old")},
			one,
			wantWave{blocked: []string{"x"}, waiting: []string{"y"}},
		},
		"a workload that is not ready counts without outdated sidecars": {
			[]Workload{deployment("a", "x", "new", notReady), deployment("a", "y", "old")}, one, wantWave{waiting: []string{"y"}},
		},
		"manual": {
			[]Workload{deployment("a", "x", "old")}, Limits{MaxUnavailable: intstr.FromInt32(1), Manual: true}, wantWave{manual: []string{"x"}},
		},
		"opted out": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.OptedOut = true })}, one, wantWave{manual: []string{"x"}},
		},
		"on delete": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.OnDelete = true })}, one, wantWave{manual: []string{"x"}},
		},
		"of another project": {
			[]Workload{
				deployment("a", "x", "old", func(w *Workload) { w.Ref.Kind = "Rollout.argoproj.io" }),
				deployment("b", "y", "old", func(w *Workload) { w.Ref.Kind = "CloneSet.apps.kruise.io" }),
				deployment("c", "z", "old", func(w *Workload) { w.Ref.Kind = "StatefulSet.example.org" }),
			}, one, wantWave{restart: []string{"x", "y"}, manual: []string{"z"}},
		},
		"one that cannot be read is waited for, and does not count as unavailable": {
			[]Workload{deployment("a", "x", "old", notReady, func(w *Workload) { w.Unread = "no permission" }), deployment("a", "y", "old")},
			one,
			wantWave{waiting: []string{"x"}, restart: []string{"y"}},
		},
		"one that is ready and cannot be read is waited for": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.Unread = "no permission" })}, one, wantWave{waiting: []string{"x"}},
		},
		"a Job and a bare pod are manual": {
			[]Workload{
				deployment("a", "x", "old", func(w *Workload) { w.Ref.Kind = "Job" }),
				deployment("a", "y", "old", func(w *Workload) { w.Ref.Kind = "Pod" }),
			}, one, wantWave{manual: []string{"x", "y"}},
		},
		"a disruption budget": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.Blocked = "x" }), deployment("a", "y", "old")},
			one,
			wantWave{blocked: []string{"x"}, restart: []string{"y"}},
		},
	})
}

// The workloads were already restarted for this or a rejected revision.
func TestNextWave_AfterRestarts(t *testing.T) {
	checkWaves(t, map[string]waveCase{
		"outdated after a restart: retry": {
			[]Workload{deployment("a", "x", "old", restarted)}, one, wantWave{restart: []string{"x"}},
		},
		"outdated after a recent restart: wait": {
			[]Workload{deployment("a", "x", "old", restarted, func(w *Workload) { w.ReadySince = noon.Add(-9 * time.Second) })}, one, wantWave{waiting: []string{"x"}},
		},
		"restarted, new pods not observed yet: wait": {
			[]Workload{deployment("a", "x", "old", func(w *Workload) { w.Restart = Restart{Revision: "new", At: noon.Add(-9 * time.Second)} })},
			one,
			wantWave{waiting: []string{"x"}},
		},
		"outdated after two restarts: manual": {
			[]Workload{deployment("a", "x", "old", restarted, func(w *Workload) { w.Restart.Retry = true })}, one, wantWave{manual: []string{"x"}},
		},
		"restarted for a rejected revision: restart at once": {
			[]Workload{
				deployment("a", "x", "bad", notReady, func(w *Workload) { w.Restart = Restart{Revision: "bad", At: noon} }),
				deployment("a", "y", "bad", func(w *Workload) { w.Restart = Restart{Revision: "bad", At: noon} }),
				deployment("a", "z", "old", notReady),
			},
			Limits{MaxUnavailable: intstr.FromInt32(1), RejectedRevision: "bad"},
			wantWave{restart: []string{"x"}, waiting: []string{"y"}, blocked: []string{"z"}},
		},
		"pause of the namespace": {
			[]Workload{
				deployment("a", "x", "new", restarted, func(w *Workload) { w.ReadySince = noon.Add(-10 * time.Second) }),
				deployment("a", "y", "old"), deployment("b", "z", "old"),
			},
			Limits{MaxUnavailable: intstr.FromInt32(1), Pause: time.Minute},
			wantWave{waiting: []string{"y"}, restart: []string{"z"}},
		},
	})
}

func checkWaves(t *testing.T, cases map[string]waveCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := NextWave(c.workloads, "new", c.limits, noon)
			got := wantWave{names(w.Restart), names(w.InProgress), namesOfNotes(w.Waiting), namesOfNotes(w.Blocked), namesOfNotes(w.Manual)}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(wantWave{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNextWave_RequeuesAfterThePause(t *testing.T) {
	w := NextWave([]Workload{
		deployment("a", "x", "new", func(w *Workload) { w.Restart.Revision, w.ReadySince = "new", noon.Add(-10*time.Second) }),
		deployment("a", "y", "old"),
	}, "new", Limits{Pause: time.Minute}, noon)
	if w.RequeueAfter != 50*time.Second {
		t.Errorf("requeue after %s, want 50s", w.RequeueAfter)
	}
}

// TestNextWave_RespectsMaxUnavailable checks random workloads. Unready and restarted workloads together are at most maxUnavailable, unless
// more were unready before.
func TestNextWave_RespectsMaxUnavailable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{MaxUnavailable: intstr.FromInt32(rapid.Int32Range(-1, 4).Draw(t, "max"))}
		workloads := drawWorkloads(t, []string{"old", "new"})
		wave := NextWave(workloads, "new", limits, noon)
		for _, namespace := range []string{"a", "b"} {
			unready, restarts := 0, 0
			for _, w := range workloads {
				if w.Ref.Namespace == namespace && w.Ref.Restartable() && !w.Ready {
					unready++
				}
			}
			for _, r := range wave.Restart {
				if r.Namespace == namespace {
					restarts++
				}
			}
			if limit := max(1, int(limits.MaxUnavailable.IntVal)); restarts > max(0, limit-unready) {
				t.Fatalf("in namespace %s %d restarts and %d unready workloads exceed the limit of %d", namespace, restarts, unready, limit)
			}
		}
		for _, ref := range wave.Restart {
			for _, w := range workloads {
				if w.Ref == ref && (!w.Ref.Restartable() || w.OptedOut || w.Blocked != "" || !w.Ready) {
					t.Fatalf("%s is restarted, but is %+v", ref, w)
				}
				if w.Ref == ref && w.Restart.Revision == "new" && w.Restart.Retry {
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
			Ready:    rapid.IntRange(0, 3).Draw(t, "complete") > 0,
		}
		if rapid.IntRange(0, 5).Draw(t, "blocked") == 0 {
			w.Blocked = "budget"
		}
		if rapid.Bool().Draw(t, "restarted") {
			w.Restart = Restart{Revision: rapid.SampledFrom(revisions).Draw(t, "for"), At: noon.Add(-time.Hour), Retry: rapid.Bool().Draw(t, "again")}
		}
		if w.Ready {
			w.ReadySince = noon.Add(-time.Duration(rapid.IntRange(0, 100).Draw(t, "ready")) * time.Second)
		}
		list = append(list, w)
	}
	return list
}

// Denied workloads are blocked until a restart of them succeeds. Nothing waits for their retries, which get the room that is left.
func TestNextWave_RetriesDeniedWorkloads(t *testing.T) {
	for name, c := range map[string]struct {
		due  bool
		load []Workload
		want []string
	}{
		"before the backoff ends": {false, []Workload{deployment("a", "x", "old")}, nil},
		"after the backoff":       {true, []Workload{deployment("a", "x", "old")}, []string{"x"}},
		"without room":            {true, []Workload{deployment("a", "x", "old"), deployment("a", "y", "old")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			limits := one
			limits.Denied = func(ref Ref, _ string) (string, bool) {
				if ref.Name == "x" {
					return "frozen", c.due
				}
				return "", false
			}
			w := NextWave(c.load, "new", limits, noon)
			if got := names(w.Retry); !slices.Equal(got, c.want) {
				t.Errorf("retries %v, want %v", got, c.want)
			}
			if len(w.Blocked) != 1 || w.Blocked[0].Reason != "frozen" || len(w.Restart) != len(c.load)-1 {
				t.Errorf("the wave is %+v", w)
			}
			if len(c.load) == 1 && !w.Done() {
				t.Error("something waits for a denied workload")
			}
		})
	}
}

func inNamespaces(count int, change ...func(*Workload)) []Workload {
	var workloads []Workload
	for i := range count {
		workloads = append(workloads, deployment(string(rune('a'+i)), "x"+string(rune('a'+i)), "old", change...))
	}
	return workloads
}

// Limits of single namespaces restart as many workloads at once as there are namespaces.
func TestRestartsOfAllNamespacesAreLimited(t *testing.T) {
	two := Limits{MaxUnavailable: intstr.FromInt32(1), MaxConcurrent: 2}
	restarting := append(inNamespaces(1, restarted, notReady), inNamespaces(4)[1:]...)
	ready := append(inNamespaces(1, restarted, func(w *Workload) { w.Sidecars = map[string]int{"new": 1} }), inNamespaces(4)[1:]...)
	broken := append(inNamespaces(1, notReady), inNamespaces(4)[1:]...)
	checkWaves(t, map[string]waveCase{
		"the first namespaces begin": {inNamespaces(4), two, wantWave{restart: []string{"xa", "xb"}, waiting: []string{"xc", "xd"}}},
		"a restart in progress uses a slot": {
			restarting, two, wantWave{restart: []string{"xb"}, inProgress: []string{"xa"}, waiting: []string{"xc", "xd"}},
		},
		"a workload that is ready again uses none": {ready, two, wantWave{restart: []string{"xb", "xc"}, waiting: []string{"xd"}}},
		"a workload that nobody restarted uses none": {
			broken, two, wantWave{restart: []string{"xb", "xc"}, blocked: []string{"xa"}, waiting: []string{"xd"}},
		},
	})
}

// A denied restart that is due does not exceed the limit.
func TestRetriesAreLimitedToo(t *testing.T) {
	limits := Limits{MaxUnavailable: intstr.FromInt32(1), MaxConcurrent: 1, Denied: func(ref Ref, _ string) (string, bool) { return "denied", ref.Namespace < "c" }}
	wave := NextWave(inNamespaces(2), "new", limits, noon)
	if got := names(wave.Retry); !slices.Equal(got, []string{"xa"}) {
		t.Errorf("%v are restarted again, want xa", got)
	}
}

// A Deployment with the strategy Recreate has no pod for a moment. A wave that finds workloads by their pods is over then.
func TestWorkloadWithoutPodsKeepsItsWave(t *testing.T) {
	gone := func(w *Workload) { w.Sidecars = map[string]int{} }
	checkWaves(t, map[string]waveCase{
		"its restart is in progress": {
			[]Workload{deployment("a", "x", "", gone, restarted, notReady), deployment("a", "y", "old")},
			one,
			wantWave{inProgress: []string{"x"}, waiting: []string{"y"}},
		},
		"it was scaled to zero": {[]Workload{deployment("a", "x", "", gone, restarted), deployment("a", "y", "old")}, one, wantWave{restart: []string{"y"}}},
		"its restart was for another revision": {
			[]Workload{deployment("a", "x", "", gone, notReady, func(w *Workload) { w.Restart.Revision = "older" }), deployment("a", "y", "old")},
			one,
			wantWave{restart: []string{"y"}},
		},
	})
}

// No event tells that a PodDisruptionBudget allows disruptions again. Without another look the workload waits for hours.
func TestBlockedWorkloadIsTriedAgain(t *testing.T) {
	load := Workload{Ref: Ref{Kind: "Deployment", Namespace: "shop", Name: "web"}, Sidecars: map[string]int{"old": 1}, Ready: true, Blocked: "strict"}
	wave := NextWave([]Workload{load}, "new", Limits{}, noon)
	if !wave.Done() || len(wave.Blocked) != 1 || wave.RequeueAfter != time.Minute {
		t.Errorf("%+v, want a blocked workload and another look after a minute", wave)
	}
	load.Blocked, load.Unread = "", "no permission"
	if wave := NextWave([]Workload{load}, "new", Limits{}, noon); len(wave.Waiting) != 1 || wave.RequeueAfter != time.Minute {
		t.Errorf("%+v, want another look at what cannot be read", wave)
	}
	load.Unread = ""
	if wave := NextWave([]Workload{load}, "new", Limits{}, noon); len(wave.Restart) != 1 || wave.RequeueAfter != 0 {
		t.Errorf("%+v, want a restart", wave)
	}
}
