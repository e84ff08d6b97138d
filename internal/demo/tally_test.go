package demo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTally_CountsByPathOutcomeAndIdentity(t *testing.T) {
	tally := NewTally("bookbuyer")
	for range 3 {
		tally.Add(Visit{Path: PathBuyBook, Outcome: "200", Identity: "bookstore-v1"})
	}
	tally.Add(Visit{Path: PathBuyBook, Outcome: "200", Identity: "bookstore-v2"})
	tally.Add(Visit{Path: PathBuyBook, Outcome: "403"})
	tally.Add(Visit{Path: PathBooksBought, Outcome: "200", Identity: "bookstore-v2"})
	want := Counters{
		App:           "bookbuyer",
		Requests:      6,
		Outcomes:      map[string]int{"200": 5, "403": 1},
		Paths:         map[string]map[string]int{PathBuyBook: {"200": 4, "403": 1}, PathBooksBought: {"200": 1}},
		Identities:    map[string]int{"bookstore-v1": 3, "bookstore-v2": 1},
		Percent:       map[string]float64{"bookstore-v1": 75, "bookstore-v2": 25},
		RecentPercent: map[string]float64{"bookstore-v1": 75, "bookstore-v2": 25},
	}
	if diff := cmp.Diff(want, tally.Counters()); diff != "" {
		t.Errorf("counters differ (-want +got):\n%s", diff)
	}
}

func TestTally_RecentSplitDropsOldBooks(t *testing.T) {
	tally := NewTally("bookbuyer")
	for range 200 {
		tally.Add(Visit{Path: PathBuyBook, Outcome: "200", Identity: "bookstore-v1"})
	}
	for range recentVisits {
		tally.Add(Visit{Path: PathBuyBook, Outcome: "200", Identity: "bookstore-v2"})
	}
	c := tally.Counters()
	if diff := cmp.Diff(map[string]float64{"bookstore-v2": 100}, c.RecentPercent); diff != "" {
		t.Errorf("recent split differs (-want +got):\n%s", diff)
	}
	if c.Percent["bookstore-v2"] != 20 {
		t.Errorf("share of all books is %v, want 20", c.Percent["bookstore-v2"])
	}
}

func TestCounters_ReturnsCopy(t *testing.T) {
	tally := NewTally("bookbuyer")
	tally.Add(Visit{Path: PathBuyBook, Outcome: "200", Identity: "bookstore-v1"})
	c := tally.Counters()
	c.Outcomes["200"], c.Paths[PathBuyBook]["200"], c.Identities["bookstore-v1"] = 9, 9, 9
	again := tally.Counters()
	if again.Outcomes["200"] != 1 || again.Paths[PathBuyBook]["200"] != 1 || again.Identities["bookstore-v1"] != 1 {
		t.Errorf("changing what Counters returned changed the tally: %+v", again)
	}
}
