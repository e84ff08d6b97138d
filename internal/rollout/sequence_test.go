package rollout

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// world is a mesh that follows plans, so that whole sequences of observations can be tried: it does what a plan says, and nothing else
// moves.
type world struct {
	s Situation
	// retired are the revisions that plans gave up for good.
	retired []string
}

func newWorld(t *rapid.T) *world {
	w := &world{s: Situation{
		Now: noon, Since: noon, Automatic: true, Wanted: "new", Base: "old",
		Strategy: rapid.SampledFrom([]Strategy{InPlace, Canary, Canary}).Draw(t, "strategy"),
		Limits:   Limits{MaxUnavailable: intstr.FromInt32(rapid.Int32Range(1, 2).Draw(t, "max"))},
		Revisions: []Revision{
			{Name: "old", Verified: noon.Add(-time.Hour), Serving: true, Answering: true},
			{Name: "new"},
		},
	}}
	if w.s.Strategy == Canary {
		w.s.Chosen = []string{"a"}
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "workloads") {
		namespace := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "namespace")
		w.s.Workloads = append(w.s.Workloads, deployment(namespace, string(rune('a'+i)), "old"))
	}
	return w
}

// injector is the revision whose sidecars a new pod of a namespace gets.
func (w *world) injector(namespace string) string {
	if w.s.Injects != "" && slices.Contains(w.s.Chosen, namespace) {
		return w.s.Injects
	}
	return w.s.Base
}

// follow does what a plan says, in the order in which the operator does it.
func (w *world) follow(p Plan) {
	if p.Base != w.s.Base || p.Beside != w.s.Beside {
		// What takes a role is not ready in it at once.
		for i := range w.s.Revisions {
			r := &w.s.Revisions[i]
			if r.Name == p.Base && w.s.Base != p.Base || r.Name == p.Beside && w.s.Beside != p.Beside {
				r.Serving = false
			}
		}
		w.s.Since = w.s.Now
	}
	w.s.Base, w.s.Beside, w.s.Injects = p.Base, p.Beside, p.Injects
	wanted := &w.s.Revisions[1]
	if p.Verify {
		wanted.Verified = w.s.Now
	}
	if p.Reject != "" {
		wanted.Rejected = p.Reject
	}
	w.retired = append(w.retired, p.Retire...)
	for _, ref := range p.Wave.Restart {
		for i := range w.s.Workloads {
			if load := &w.s.Workloads[i]; load.Ref == ref {
				load.Restart = Restart{Revision: p.Wave.Target, At: w.s.Now}
				load.Sidecars, load.Settled = map[string]int{w.injector(ref.Namespace): 2}, false
			}
		}
	}
}

// observe changes what is seen: pods become ready or break, gates see something or nothing.
func (w *world) observe(t *rapid.T) {
	w.s.Now = w.s.Now.Add(time.Minute)
	for i := range w.s.Revisions {
		r := &w.s.Revisions[i]
		runs := r.Name == w.s.Base || r.Name == w.s.Beside
		r.Serving = runs && (r.Serving || rapid.Bool().Draw(t, "ready")) && rapid.IntRange(0, 9).Draw(t, "breaks") > 0
		r.Answering = runs && (r.Serving || rapid.Bool().Draw(t, "answers"))
	}
	for i := range w.s.Workloads {
		if load := &w.s.Workloads[i]; !load.Settled && rapid.Bool().Draw(t, "settles") {
			load.Settled, load.ReadySince = true, w.s.Now
		}
	}
	w.s.Verdicts = nil
	if rapid.IntRange(0, 4).Draw(t, "seen") > 0 {
		state := rapid.SampledFrom([]State{Passed, Passed, Passed, Passed, Waiting, Waiting, Failed})
		soak := rapid.SampledFrom([]State{Passed, Waiting})
		w.s.Verdicts = []Verdict{{"ErrorRate", state.Draw(t, "errors"), "errors"}, {soakGate, soak.Draw(t, "soak"), "rest"}}
	}
}

// unready counts the workloads of a namespace that are restarting or broken.
func (w *world) unready(namespace string) int {
	n := 0
	for _, load := range w.s.Workloads {
		if load.Ref.Namespace == namespace && !load.Settled {
			n++
		}
	}
	return n
}

// TestNoSequenceHarms holds for any sequence of observations.
func TestNoSequenceHarms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.observe(t)
			before := w.s
			before.Revisions, before.Workloads = slices.Clone(before.Revisions), slices.Clone(before.Workloads)
			p := Next(w.s)
			w.follow(p)
			forward := w.s.Revisions[1].Rejected == "" && before.Revisions[1].Verified.IsZero()
			if w.s.Revisions[1].Verified.IsZero() && slices.Contains(w.retired, "old") {
				t.Fatalf("the last good revision is pruned: %+v", p)
			}
			if before.Revisions[1].Verified.IsZero() && p.Verify && Worst(before.Verdicts) != Passed {
				t.Fatalf("verified on what was not seen: %+v", p)
			}
			if forward && len(p.Wave.Restart) > 0 && !Well(before.Verdicts) {
				t.Fatalf("goes on with restarts on what was not seen: %+v", p)
			}
			if forward && before.Strategy == Canary && before.Base == "old" && p.Base == "new" && Worst(before.Verdicts) != Passed {
				t.Fatalf("promoted on what was not seen: %+v", p)
			}
			if p.Injects != "" && (p.Beside != p.Injects || !before.revision(p.Injects).Answering) {
				t.Fatalf("pods wait for an injector that does not answer: %+v", p)
			}
			for _, namespace := range []string{"a", "b"} {
				if len(p.Wave.Restart) > 0 && w.unready(namespace) > max(int(w.s.Limits.MaxUnavailable.IntVal), before.unready(namespace)) {
					t.Fatalf("%d workloads of %s are restarting: %+v", w.unready(namespace), namespace, p)
				}
			}
			for _, load := range w.s.Workloads {
				if before.Strategy == Canary && w.s.Base == "old" && load.Ref.Namespace != "a" && (load.Sidecars["new"] > 0 || load.Restart.Revision == "new") && forward {
					t.Fatalf("%s was moved before the promotion: %+v", load.Ref, p)
				}
				if load.Restart.At.Equal(w.s.Now) && load.Sidecars[load.Restart.Revision] == 0 {
					t.Fatalf("%s was restarted for %s and got others: %+v", load.Ref, load.Restart.Revision, p)
				}
			}
		}
		w.comesToAnEnd(t)
	})
}

// unready is that of the world before a plan was followed.
func (s Situation) unready(namespace string) int {
	w := &world{s: s}
	return w.unready(namespace)
}

// comesToAnEnd sees that a mesh on which all is well from now on ends settled, or rolled back.
func (w *world) comesToAnEnd(t *rapid.T) {
	for range 60 {
		w.s.Now = w.s.Now.Add(time.Minute)
		for i := range w.s.Revisions {
			r := &w.s.Revisions[i]
			r.Serving = r.Name == w.s.Base || r.Name == w.s.Beside
			r.Answering = r.Serving
		}
		for i := range w.s.Workloads {
			if load := &w.s.Workloads[i]; !load.Settled {
				load.Settled, load.ReadySince = true, w.s.Now
			}
		}
		w.s.Verdicts = passed
		w.follow(Next(w.s))
	}
	wanted, end := w.s.Revisions[1], "new"
	if wanted.Rejected != "" {
		end = "old"
	} else if wanted.Verified.IsZero() {
		// Where no workload is in a chosen namespace, nobody can try the canary.
		if w.s.Strategy == Canary && !slices.ContainsFunc(w.s.Workloads, w.s.first) {
			return
		}
		t.Fatalf("the upgrade does not end: %+v", Next(w.s))
	}
	for _, load := range w.s.Workloads {
		if load.outdated(end) || w.s.Base != end || w.s.Beside != "" || w.s.Injects != "" {
			t.Fatalf("%+v has not come to %s: %+v", load, end, Next(w.s))
		}
	}
}
