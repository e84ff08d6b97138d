package loadstats

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

var (
	buyer = identity.ServiceAccount{Namespace: "shop", Name: "buyer"}
	till  = identity.ServiceAccount{Namespace: "shop", Name: "till"}
)

// clock is a manual clock. It starts at the beginning of an interval.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Unix(1_800_000_000, 0).UTC()} }

func (c *clock) wait(d time.Duration) { c.now = c.now.Add(d) }

func newTestStore(c *clock) *Store { return NewStore(func() time.Time { return c.now }) }

// isFrequent reports whether sidecars should report every Interval now.
func (s *Store) isFrequent() bool {
	until, _ := s.FrequentUntil()
	return s.now().Before(until)
}

func load(cluster string, issued, succeeded, failed uint64) []Load {
	return []Load{{cluster, Counts{issued, succeeded, failed}}}
}

// TestReportsAreFrequentWhileRead has two readers with a long pause between them.
func TestReportsAreFrequentWhileRead(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	if s.isFrequent() {
		t.Error("frequent reports are requested without a reader")
	}
	_, changed := s.FrequentUntil()
	if got := s.Read(); len(got.Pairs) > 0 || !got.Since.Equal(c.now) {
		t.Errorf("the first read returned %+v", got)
	}
	select {
	case <-changed:
	default:
		t.Error("streams are not notified that frequent reports are requested")
	}
	_, changed = s.FrequentUntil()
	c.wait(Lease - time.Second)
	s.Read()
	c.wait(Lease - time.Second)
	if !s.isFrequent() {
		t.Error("the second read did not extend the lease")
	}
	c.wait(2 * time.Second)
	if s.isFrequent() {
		t.Error("frequent reports are requested although the lease has expired")
	}
	select {
	case <-changed:
		t.Error("streams were notified of an extended lease")
	default:
	}
}

// TestFirstReadIsComplete has two sidecars with 10 requests a second each. Nobody has read for hours, and they report at different times of
// each minute. The rate is right on the first read and on each later one.
func TestFirstReadIsComplete(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	one, two := s.Register("one", buyer, ""), s.Register("two", buyer, "")
	for range 120 {
		c.wait(40 * time.Second)
		one.Report(load("a/web|80", 600, 540, 60), IdleInterval)
		c.wait(20 * time.Second)
		two.Report(load("a/web|80", 600, 540, 60), IdleInterval)
	}
	check := func(step string) {
		t.Helper()
		got := s.Read()
		if len(got.Pairs) != 1 || got.Reporting != 2 || got.Pairs[0].Over <= Window-Interval {
			t.Fatalf("%s: %+v", step, got)
		}
		if p := got.Pairs[0]; p.Rate() < 19.9 || p.Rate() > 20.1 || 10*p.Failed < p.Issued-10 || 10*p.Failed > p.Issued+10 {
			t.Errorf("%s: %v requests a second, and %d of %d failed, want 20 a second and a tenth", step, p.Rate(), p.Failed, p.Issued)
		}
	}
	c.wait(17 * time.Second)
	check("the first read")
	c.wait(3 * time.Second)
	check("the second read")
	c.wait(2 * time.Second)
	one.Report(load("a/web|80", 420, 378, 42), 42*time.Second)
	two.Report(load("a/web|80", 220, 198, 22), 22*time.Second)
	check("the first frequent reports")
	for range 24 {
		c.wait(Interval)
		one.Report(load("a/web|80", 50, 45, 5), Interval)
		two.Report(load("a/web|80", 50, 45, 5), Interval)
		check("frequent reports")
	}
}

func TestRates(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	s.Read()
	began := c.now
	one, two, other := s.Register("one", buyer, ""), s.Register("two", buyer, ""), s.Register("three", till, "")
	c.wait(Interval)
	one.Report(load("a/web|80", 40, 30, 10), Interval)
	two.Report(load("a/web|80", 10, 10, 0), Interval)
	c.wait(Interval)
	one.Report(load("a/web|80", 50, 50, 0), Interval)
	two.Report(load("a/web|80", 0, 0, 0), Interval)
	other.Report(load("a/web|80", 7, 0, 7), Interval)
	got := s.Read()
	want := Loads{Since: began, Sidecars: 3, Reporting: 3, Groups: []Group{{buyer, "", 2, 2, 0}, {till, "", 1, 1, 0}}, Pairs: []Pair{
		{Client: buyer, Cluster: "a/web|80", Counts: Counts{100, 90, 10}, Over: 2 * Interval, Recent: []Recent{
			{began, Counts{50, 40, 10}}, {began.Add(Interval), Counts{50, 50, 0}},
		}},
		{Client: till, Cluster: "a/web|80", Counts: Counts{7, 0, 7}, Over: Interval, Recent: []Recent{{began.Add(Interval), Counts{7, 0, 7}}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if rate := got.Pairs[0].Rate(); rate != 10 {
		t.Errorf("%v requests a second", rate)
	}
	other.Unregister()
	for range 24 {
		c.wait(Interval)
		one.Report(load("a/web|80", 5, 5, 0), Interval)
		got = s.Read()
	}
	if len(got.Pairs) != 1 || got.Pairs[0].Issued != 60 || got.Pairs[0].Over != Window || got.Sidecars != 2 {
		t.Errorf("after two minutes: %+v", got)
	}
}

// TestMemoryIsBounded reports more loads than the limits. Nobody reads them.
func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	s, dropped := newTestStore(c), 0
	flood := func(client identity.ServiceAccount, clusters int) {
		loads := make([]Load, clusters)
		for i := range loads {
			loads[i] = Load{Cluster: fmt.Sprint(client.Name, i), Counts: Counts{Issued: 1}}
		}
		dropped += s.Register(client.Name, client, "").Report(loads, Interval)
	}
	flood(buyer, maxClusters+3)
	dropped += s.Register("long", till, "").Report(load(strings.Repeat("x", maxName+1), 1, 1, 0), Interval)
	if len(s.pairs) != maxClusters || dropped != 4 {
		t.Errorf("%d pairs are kept, %d dropped", len(s.pairs), dropped)
	}
	for i := range maxPairs/maxClusters + 2 {
		flood(identity.ServiceAccount{Namespace: "x", Name: fmt.Sprint(i)}, maxClusters)
	}
	if len(s.pairs) != maxPairs {
		t.Errorf("%d pairs are kept", len(s.pairs))
	}
	c.wait(expiry + time.Second)
	s.Register("late", till, "").Report(load("a/web|80", 1, 1, 0), Interval)
	if len(s.pairs) != 1 || len(s.clusters) != 1 || len(s.reported) != 1 {
		t.Errorf("without a reader, %d pairs and %d pods are kept after their sidecars stopped reporting", len(s.pairs), len(s.reported))
	}
}

func TestNewerStreamSupersedes(t *testing.T) {
	s := newTestStore(newClock())
	older := s.Register("one", buyer, "")
	newer := s.Register("one", buyer, "")
	select {
	case <-older.Done():
	default:
		t.Error("the older stream is not done")
	}
	older.Unregister()
	if got := s.Read().Sidecars; got != 1 {
		t.Errorf("%d sidecars", got)
	}
	newer.Unregister()
	if got := s.Read().Sidecars; got != 0 {
		t.Errorf("%d sidecars", got)
	}
}
