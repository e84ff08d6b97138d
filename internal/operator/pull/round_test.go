package pull

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
)

// newRound returns a round of nodes that are all ready.
func newRound(parallelism int, now, later []string) round {
	r := round{
		Request: Request{Image: image, Demand: rollout.Demand{Now: now, Later: later}, Parallelism: parallelism},
		ready:   map[string]bool{}, attempts: map[string]attempt{}, now: noon,
	}
	for _, node := range slices.Concat(now, later) {
		r.ready[node] = true
	}
	return r
}

// numbered returns n names of nodes.
func numbered(prefix string, n int) []string {
	var nodes []string
	for i := range n {
		nodes = append(nodes, fmt.Sprintf("%s%03d", prefix, i))
	}
	return nodes
}

// TestOneNodeIsNoVerdict draws the results of up to six nodes, which end in any order, and of which any number pulls at a time. A node on which Envoy does not
// run decides nothing while another one has run it, or may still do so. If none can, the image is unusable.
func TestOneNodeIsNoVerdict(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		nodes := numbered("n", 1+random.IntN(6))
		present := random.IntN(len(nodes) + 1)
		r := newRound(1+random.IntN(4), nodes[:present], nodes[present:])
		ends := map[string]attempt{}
		for _, node := range nodes {
			ends[node] = []attempt{{state: pulled}, {state: failed, exitCode: 132}, {state: failed, exitCode: 137}, {state: asked, isLate: true, loads: true}}[random.IntN(4)]
		}
		for open := slices.Clone(nodes); len(open) > 0; {
			for _, node := range r.next() {
				r.attempts[node] = attempt{state: asked, loads: true}
			}
			running := slices.DeleteFunc(slices.Clone(open), func(node string) bool { return r.attempts[node].state != asked })
			if len(running) == 0 {
				t.Fatalf("nobody asks %q: %+v", open, r.attempts)
			}
			node := running[random.IntN(len(running))]
			r.attempts[node] = ends[node]
			open = slices.DeleteFunc(open, func(other string) bool { return other == node })
			checkVerdict(t, r, len(open))
		}
	}
}

// checkVerdict compares a verdict with the results so far.
func checkVerdict(t *testing.T, r round, open int) {
	t.Helper()
	succeeded, broken := 0, 0
	for _, a := range r.attempts {
		switch a.state {
		case pulled:
			succeeded++
		case failed:
			broken++
		case unasked, asked, rejected:
		}
	}
	got := r.unusable()
	switch mayBe := succeeded == 0 && broken > 0; {
	case got != "" && (!mayBe || broken < quorum && open > 0):
		t.Fatalf("%d have run Envoy, %d could not and %d are open, and the image is unusable: %s", succeeded, broken, open, got)
	case got == "" && mayBe && (open == 0 || broken >= quorum):
		t.Fatalf("none has run Envoy, %d could not and %d are open, and nothing is said", broken, open)
	}
}

// TestNodesThatAreNotReadyDoNotCount has an Envoy that does not run on a node. The others are not ready, or have run it before.
func TestNodesThatAreNotReadyDoNotCount(t *testing.T) {
	r := newRound(10, []string{"broken", "off"}, nil)
	r.ready["off"] = false
	r.attempts["broken"] = attempt{state: failed}
	if r.unusable() == "" {
		t.Error("a node that is not ready is waited for")
	}
	r.ready["broken"] = false
	if reason := r.unusable(); reason != "" {
		t.Errorf("a node that is not ready decides: %s", reason)
	}
	r.ready["broken"], r.HasRun = true, true
	if reason := r.unusable(); reason != "" {
		t.Errorf("an image that serves in a pod is unusable: %s", reason)
	}
}

// TestNext has nodes of the present wave (now…) and of later ones (later…).
func TestNext(t *testing.T) {
	inTime, late, stuck := attempt{state: asked, loads: true}, attempt{state: asked, loads: true, isLate: true}, attempt{state: asked, isLate: true}
	now, later := numbered("now", 4), numbered("later", 30)
	set := func(nodes []string, a attempt) func(round) {
		return func(r round) {
			for _, node := range nodes {
				r.attempts[node] = a
			}
		}
	}
	both := func(first, second func(round)) func(round) { return func(r round) { first(r); second(r) } }
	for name, test := range map[string]struct {
		parallelism int
		prepare     func(round)
		want        []string
	}{
		"the present wave is first":             {6, nil, append(slices.Clone(now), later[:2]...)},
		"as many as may pull":                   {2, nil, now[:2]},
		"some pull already":                     {3, set(now[:2], inTime), now[2:3]},
		"all places are taken":                  {2, set(now[:2], inTime), nil},
		"late nodes keep half of the places":    {2, set(now[:2], late), now[2:3]},
		"one is asked though all are late":      {1, set(now[:1], late), now[1:2]},
		"nodes without room for a pod":          {2, set(now[:2], stuck), now[2:4]},
		"nodes on which Envoy does not run":     {2, set(now[:2], attempt{state: failed}), now[2:4]},
		"not more than a part of later ones":    {1, both(set(now, attempt{state: pulled}), set(later[:10], attempt{state: pulled})), nil},
		"as many later ones as may be":          {1, both(set(now, attempt{state: pulled}), set(later[:9], attempt{state: pulled})), later[9:10]},
		"rejected pods are the last":            {30, both(set(now[:2], attempt{state: rejected}), set(later[2:], attempt{state: pulled})), append(append(slices.Clone(now[2:]), later[:2]...), now[:2]...)},
		"pods that were rejected just now wait": {30, both(set(now, attempt{state: rejected, tried: noon.Add(-time.Second)}), set(later, attempt{state: pulled})), nil},
	} {
		r := newRound(test.parallelism, now, later)
		if test.prepare != nil {
			test.prepare(r)
		}
		if diff := cmp.Diff(test.want, r.next()); diff != "" && len(test.want)+len(r.next()) > 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestNodesWithoutPulls has nodes that are not asked.
func TestNodesWithoutPulls(t *testing.T) {
	r := newRound(10, []string{"ready", "off", "virtual"}, nil)
	r.ready["off"] = false
	delete(r.ready, "virtual")
	if got := r.next(); !slices.Equal(got, []string{"ready"}) {
		t.Errorf("%q are asked", got)
	}
	got := r.result()
	if diff := cmp.Diff(map[string]string{
		"off": "the node is not ready", "virtual": "no image can be pulled there: the node is gone, does not run Linux, or is one of a virtual kubelet",
	}, got.Late); diff != "" || len(got.Nodes) > 0 {
		t.Errorf("nodes %v, late (-want +got): %s", got.Nodes, diff)
	}
}
