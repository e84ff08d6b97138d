package rollout

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

func staged(l *Limits) {
	l.Stages, l.StageOf = []string{"test", "internal"}, map[string]int{"z": 0, "m": 1}
}

// TestStages checks which namespaces are upgraded first: those of the stages, and all others at the end.
func TestStages(t *testing.T) {
	moved := func(w *Workload) { w.Sidecars = map[string]int{"new": 1} }
	budget := func(w *Workload) { w.Blocked = "strict" }
	optedOut := func(w *Workload) { w.OptedOut = true }
	load := func(z, m func(*Workload)) []Workload {
		none := func(*Workload) {}
		if z == nil {
			z = none
		}
		if m == nil {
			m = none
		}
		return []Workload{deployment("a", "last", "old"), deployment("m", "second", "old", m), deployment("z", "first", "old", z)}
	}
	for name, test := range map[string]struct {
		load             []Workload
		restart, waiting []string
	}{
		"the first stage":                      {load(nil, nil), []string{"first"}, []string{"last", "second"}},
		"the first one restarts":               {load(func(w *Workload) { restarted(w); notReady(w) }, nil), nil, []string{"last", "second"}},
		"the second stage":                     {load(moved, nil), []string{"second"}, []string{"last"}},
		"the others":                           {load(moved, moved), []string{"last"}, nil},
		"a budget holds up no stage":           {load(budget, nil), []string{"second"}, []string{"last"}},
		"a workload that opted out does not":   {load(optedOut, budget), []string{"last"}, nil},
		"the second one, without a first one":  {load(nil, nil)[:2], []string{"second"}, []string{"last"}},
		"none of the stages has any namespace": {load(nil, nil)[:1], []string{"last"}, nil},
	} {
		limits := Limits{MaxUnavailable: intstr.FromInt32(1)}
		staged(&limits)
		wave := NextWave(test.load, "new", limits, noon)
		var restart []string
		for _, ref := range wave.Restart {
			restart = append(restart, ref.Name)
		}
		if !slices.Equal(restart, test.restart) || !slices.Equal(namesOfNotes(wave.Waiting), test.waiting) {
			t.Errorf("%s: restarts %v, and %v wait; want %v and %v", name, restart, wave.Waiting, test.restart, test.waiting)
		}
		for _, note := range wave.Waiting {
			if !strings.HasSuffix(note.Reason, " comes first") {
				t.Errorf("%s: %v", name, note)
			}
		}
	}
}

// TestStagesInPlace has pods with two slots in two stages.
func TestStagesInPlace(t *testing.T) {
	limits := inPlace()
	staged(&limits)
	wave := NextWave([]Workload{slotted("m", "second", outdatedPod), slotted("z", "first", outdatedPod)}, "new", limits, noon)
	if !slices.Equal(namesOfNotes(wave.Upgrading), []string{"first"}) || !slices.Equal(namesOfNotes(wave.Waiting), []string{"second"}) {
		t.Errorf("upgrades %v, and %v wait", wave.Upgrading, wave.Waiting)
	}
	limits.Denied = func(ref Ref, _ string) (string, bool) {
		if ref.Name == "first" {
			return "", false
		}
		return "denied", true
	}
	if wave := NextWave([]Workload{slotted("m", "second", outdatedPod), slotted("z", "first", handingOver)}, "new", limits, noon); len(wave.RetryPatches) > 0 {
		t.Errorf("before its stage, a denied workload is tried again: %+v", wave)
	}
}

// TestStagesAndCalls has a client in a later stage than its server, which would otherwise restart first.
func TestStagesAndCalls(t *testing.T) {
	client, server := identity.ServiceAccount{Namespace: "m", Name: "client"}, identity.ServiceAccount{Namespace: "z", Name: "server"}
	workloads := []Workload{
		deployment("m", "client", "old", func(w *Workload) { w.Accounts = []identity.ServiceAccount{client} }),
		deployment("z", "server", "old", func(w *Workload) { w.Accounts = []identity.ServiceAccount{server} }),
	}
	limits := Limits{MaxUnavailable: intstr.FromInt32(1), Order: NewOrder(workloads, []Call{{client, server}}, "waits for %s")}
	staged(&limits)
	if wave := NextWave(workloads, "new", limits, noon); len(wave.Restart) != 1 || wave.Restart[0].Name != "server" {
		t.Errorf("the wave is %+v, want the server: its stage comes first", wave)
	}
}

// TestShareOfWorkloads checks how many workloads restart at the same time.
func TestShareOfWorkloads(t *testing.T) {
	var load []Workload
	for _, namespace := range []string{"a", "b", "c", "d", "e"} {
		load = append(load, deployment(namespace, "x", "old"))
	}
	for share, want := range map[string]int{"1%": 1, "20%": 1, "21%": 2, "50%": 3, "100%": 5} {
		value := intstr.FromString(share)
		if wave := NextWave(load, "new", Limits{MaxUnavailable: intstr.FromInt32(1), MaxConcurrent: 4, Concurrent: &value}, noon); len(wave.Restart) != want {
			t.Errorf("%s of 5 workloads are %d, want %d", share, len(wave.Restart), want)
		}
	}
}
