package snapshot

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// clock is a time that a test changes.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func (c *clock) wait(d time.Duration) { c.Time = c.Add(d) }

func newClock() *clock { return &clock{time.Unix(1_800_000_000, 0)} }

func always(string) bool { return true }

func TestUsedDestinations_LatestAndExistingFirst(t *testing.T) {
	clock := newClock()
	used, user := newUsedDestinations(clock.now), meshtest.SA("a", "client")
	for _, name := range []string{"first", "gone", "again", "last", "again"} {
		clock.wait(time.Minute)
		used.use(user, name)
	}
	exists := func(name string) bool { return name != "gone" }
	if got, want := used.recent(user, exists), []string{"again", "last", "first"}; !slices.Equal(got, want) {
		t.Errorf("recent destinations are %v, want %v", got, want)
	}
	if got := used.recent(meshtest.SA("a", "other"), always); len(got) > 0 {
		t.Errorf("an identity has the destinations %v of another", got)
	}
}

// TestUsedDestinations_Age has one that new pods get each hour, which is no use, and one that is used again.
func TestUsedDestinations_Age(t *testing.T) {
	clock := newClock()
	used, user := newUsedDestinations(clock.now), meshtest.SA("a", "client")
	used.use(user, "once")
	used.use(user, "each hour")
	for hour := range 24 {
		if got := used.recent(user, always); len(got) != 2 {
			t.Fatalf("after %d hours the recent destinations are %v", hour, got)
		}
		clock.wait(time.Hour)
		used.use(user, "each hour")
	}
	clock.wait(time.Second)
	if got := used.recent(user, always); !slices.Equal(got, []string{"each hour"}) {
		t.Errorf("after 24 hours the recent destinations are %v", got)
	}
	clock.wait(usedFor + time.Second)
	if used.prune(); len(used.byUser) > 0 {
		t.Errorf("%d identities without recent destinations are remembered", len(used.byUser))
	}
}

// TestUsedDestinations_ReportsDoNotRefresh has a sidecar that asked for a destination once, and reports that whenever it connects.
func TestUsedDestinations_ReportsDoNotRefresh(t *testing.T) {
	clock := newClock()
	used, user := newUsedDestinations(clock.now), meshtest.SA("a", "client")
	clock.wait(time.Hour)
	used.use(user, "used")
	for range 47 {
		used.report(user, "reported")
		used.report(user, "used")
		if got := used.recent(user, always); !slices.Equal(got, []string{"used", "reported"}) {
			t.Fatalf("the recent destinations are %v", got)
		}
		clock.wait(29 * time.Minute)
	}
	clock.wait(30 * time.Minute)
	used.report(user, "reported")
	if got := used.recent(user, always); !slices.Equal(got, []string{"used"}) {
		t.Errorf("a day after the start, the recent destinations are %v", got)
	}
}

func TestUsedDestinations_OldestMakeRoom(t *testing.T) {
	clock := newClock()
	used, user := newUsedDestinations(clock.now), meshtest.SA("a", "client")
	for i := range 2 * maxUsedDestinations {
		clock.wait(time.Second)
		used.use(user, fmt.Sprint(i))
	}
	used.report(user, "older than all")
	recent := used.recent(user, always)
	if n := len(used.byUser[user].byName); n != maxUsedDestinations || len(recent) != maxLoaded {
		t.Errorf("%d destinations are remembered and %d loaded, want %d and %d", n, len(recent), maxUsedDestinations, maxLoaded)
	}
	if want := fmt.Sprint(2*maxUsedDestinations - 1); recent[0] != want || slices.Contains(recent, "older than all") {
		t.Errorf("the recent destinations begin with %q, want %q", recent[0], want)
	}
}

func TestUsedDestinations_OldestIdentitiesMakeRoom(t *testing.T) {
	clock := newClock()
	used := newUsedDestinations(clock.now)
	user := func(i int) identity.ServiceAccount { return meshtest.SA("b", fmt.Sprint(i)) }
	for i := range maxUsers {
		used.use(user(i), "x")
		clock.wait(time.Millisecond)
	}
	used.use(user(0), "y")
	used.use(user(maxUsers), "x")
	if n := len(used.byUser); n != maxUsers {
		t.Errorf("%d identities are remembered, want %d", n, maxUsers)
	}
	for i, want := range map[int]int{0: 2, 1: 0, 2: 1, maxUsers: 1} {
		if got := len(used.recent(user(i), always)); got != want {
			t.Errorf("identity %d has %d destinations, want %d", i, got, want)
		}
	}
	used.forgetDeleted([]catalog.Change{{Ref: entity.Ref{Kind: entity.KindServiceAccount, Name: entity.Name(user(0))}}})
	if list := used.recent(user(0), always); len(list) > 0 {
		t.Errorf("%d destinations of a deleted identity are remembered", len(list))
	}
}

// TestUsedDestinations_Property compares with a list of all uses.
func TestUsedDestinations_Property(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := newClock()
		used, user := newUsedDestinations(clock.now), meshtest.SA("a", "client")
		lastUse := map[string]time.Time{}
		for range rapid.IntRange(1, 200).Draw(rt, "steps") {
			name := fmt.Sprint(rapid.IntRange(0, 30).Draw(rt, "name"))
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				used.report(user, name)
				if lastUse[name].IsZero() {
					lastUse[name] = used.startedAt
				}
			case 1:
				clock.wait(time.Duration(rapid.IntRange(1, 40).Draw(rt, "minutes")) * 10 * time.Minute)
				used.prune()
			default:
				used.use(user, name)
				lastUse[name] = clock.Time
			}
		}
		recent := used.recent(user, always)
		if !slices.IsSortedFunc(recent, func(a, b string) int { return lastUse[b].Compare(lastUse[a]) }) {
			rt.Fatalf("%v are not in the order of their last use", recent)
		}
		for name, at := range lastUse {
			if want := clock.Sub(at) <= usedFor; slices.Contains(recent, name) != want {
				rt.Fatalf("%s was used %s ago; recent: %t", name, clock.Sub(at), !want)
			}
		}
	})
}
