package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/demo"
)

func reading(outcomes map[string]int, books map[string]int) *counters {
	return &counters{
		buyer: demo.Counters{Requests: 1, Outcomes: outcomes, Paths: map[string]map[string]int{"/buy": outcomes}, Identities: books},
		thief: demo.Counters{Requests: 1, Outcomes: map[string]int{"404": 1}}, stores: map[string]demo.StoreCounters{"v1": {Outcomes: map[string]int{"200": 1}}},
	}
}

// The table begins when the bookstore answers, so failures of its start are not in it.
func TestTableBeginsWhenTheBookstoreAnswers(t *testing.T) {
	starting := reading(map[string]int{"503": 2, "refused": 1}, nil)
	running := reading(map[string]int{"503": 2, "refused": 1, "200": 40}, map[string]int{"v1": 10, "v2": 30})
	interval := running.since(starting)
	if diff := cmp.Diff(map[string]int{"200": 40}, interval.buyer.Paths["/buy"]); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"v1": 25, "v2": 75}, interval.buyer.Percent); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
	if interval.disturbed() {
		t.Error("the interval after the start is disturbed")
	}
}

func TestDisturbedIntervals(t *testing.T) {
	before := reading(map[string]int{"200": 5, "404": 1}, nil)
	for name, test := range map[string]struct {
		outcomes map[string]int
		want     bool
	}{
		"denied":     {map[string]int{"200": 6, "404": 9, "403": 1}, false},
		"failed":     {map[string]int{"200": 6, "404": 1, "503": 1}, true},
		"timed out":  {map[string]int{"200": 6, "404": 1, "timeout": 1}, true},
		"restarted":  {map[string]int{"200": 1, "404": 1}, true},
		"no traffic": {map[string]int{"200": 5, "404": 1}, false},
	} {
		if got := reading(test.outcomes, nil).since(before).disturbed(); got != test.want {
			t.Errorf("%s: disturbed is %v, want %v", name, got, test.want)
		}
	}
}
