package loadstats

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
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

// reportsRequested reports whether sidecars should report now.
func (s *Store) reportsRequested() bool {
	until, _ := s.ReportsRequestedUntil()
	return s.now().Before(until)
}

func load(cluster string, issued, succeeded, failed uint64) []Load {
	return []Load{{cluster, Counts{issued, succeeded, failed}}}
}

// TestReportsOnlyWhileRead has two readers with a long pause between them.
func TestReportsOnlyWhileRead(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	r := s.Register("one", buyer, "")
	r.Report(load("a/web|80", 1, 1, 0), Interval)
	if s.reportsRequested() {
		t.Error("reports are requested without a reader")
	}
	_, changed := s.ReportsRequestedUntil()
	if got := s.Read(); len(got.Pairs) > 0 || got.Sidecars != 1 || got.Reporting != 0 || !got.Since.Equal(c.now) {
		t.Errorf("the first read returned %+v", got)
	}
	select {
	case <-changed:
	default:
		t.Error("streams are not notified that reports are requested")
	}
	_, changed = s.ReportsRequestedUntil()
	c.wait(Lease - time.Second)
	s.Read()
	c.wait(Lease - time.Second)
	if !s.reportsRequested() {
		t.Error("the second read did not extend the lease")
	}
	r.Report(load("a/web|80", 1, 1, 0), Interval)
	c.wait(2 * time.Second)
	if s.reportsRequested() {
		t.Error("reports are requested although the lease has expired")
	}
	select {
	case <-changed:
		t.Error("streams were notified of an extended lease")
	default:
	}
	if got := s.Read(); len(got.Pairs) > 0 || got.Reporting != 0 {
		t.Errorf("a read after the lease returned old reports: %+v", got)
	}
}

// TestFirstReportsAreAverages reads after a pause of ten minutes. The first reports have the average of the pause, and later ones the present. A
// sidecar that connects later is not awaited.
func TestFirstReportsAreAverages(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	one, two := s.Register("one", buyer, ""), s.Register("two", buyer, "")
	c.wait(10 * time.Minute)
	received := s.Await()
	isReceived := func() bool {
		select {
		case <-received:
			return true
		default:
			return false
		}
	}
	s.Register("late", till, "")
	c.wait(FirstInterval)
	one.Report(load("a/web|80", 6000, 6000, 0), 10*time.Minute)
	if isReceived() {
		t.Error("nothing is awaited, although a sidecar has not reported")
	}
	two.Report(load("a/web|80", 3000, 3000, 0), 10*time.Minute)
	if !isReceived() || s.Await() != received {
		t.Error("all sidecars have reported, and something is awaited")
	}
	got := s.Read()
	want := Pair{Client: buyer, Cluster: "a/web|80", Counts: Counts{9000, 9000, 0}, Over: 10 * time.Minute, IsAverage: true}
	if diff := cmp.Diff([]Pair{want}, got.Pairs); diff != "" || got.Reporting != 0 {
		t.Errorf("%d sidecars report; -want +got:\n%s", got.Reporting, diff)
	}
	c.wait(Interval)
	one.Report(load("a/web|80", 50, 0, 50), Interval)
	two.Report(load("a/web|80", 25, 0, 25), Interval)
	got = s.Read()
	if p := got.Pairs[0]; p.IsAverage || p.Rate() != 15 || p.Succeeded != 0 || got.Reporting != 2 {
		t.Errorf("%+v, and %d sidecars report: want the present", p, got.Reporting)
	}
	two.Unregister()
	c.wait(Lease + time.Second)
	received = s.Await()
	one.Unregister()
	if isReceived() {
		t.Error("nothing is awaited, although the last sidecar has not reported")
	}
}

// TestNothingIsAwaitedWithoutSidecars reads an empty store.
func TestNothingIsAwaitedWithoutSidecars(t *testing.T) {
	<-newTestStore(newClock()).Await()
}

// TestForgedAveragesAreBounded claims more requests than a sidecar can send in the period, and a period longer than a stream.
func TestForgedAveragesAreBounded(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	forger := s.Register("one", buyer, "")
	s.Await()
	if dropped := forger.Report(load("a/web|80", maxRate*61, 0, 0), time.Minute); dropped != 1 {
		t.Errorf("%d impossible averages were dropped, want 1", dropped)
	}
	c.wait(2 * Lease)
	s.Await()
	forger.Report(load("a/web|80", 10, 0, 0), 1<<62)
	if over := s.Read().Pairs[0].Over; over != maxAverage {
		t.Errorf("an average has the period %s, want at most %s", over, maxAverage)
	}
}

// TestLargeMeshesAreNotPrompt has more sidecars than may report at the same moment.
func TestLargeMeshesAreNotPrompt(t *testing.T) {
	s := newTestStore(newClock())
	for i := range maxPrompt {
		s.Register(entity.InstanceID(fmt.Sprint(i)), buyer, "")
	}
	if got := s.FirstInterval(); got != FirstInterval {
		t.Errorf("the first reports follow after %s, want %s", got, FirstInterval)
	}
	s.Register("one more", buyer, "")
	if got := s.FirstInterval(); got != Interval {
		t.Errorf("the first reports of a large mesh follow after %s, want %s", got, Interval)
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
	other.Report(load("a/web|80", 7, 0, 7), Interval)
	got := s.Read()
	want := Loads{Since: began, Sidecars: 3, Reporting: 3, Groups: []Group{{buyer, "", 2, 2, 0}, {till, "", 1, 1, 0}}, Pairs: []Pair{
		{Client: buyer, Cluster: "a/web|80", Counts: Counts{100, 90, 10}, Over: 2 * Interval, Recent: []Recent{
			{began.Add(Interval), Counts{50, 40, 10}}, {began.Add(2 * Interval), Counts{50, 50, 0}},
		}},
		{Client: till, Cluster: "a/web|80", Counts: Counts{7, 0, 7}, Over: Interval, Recent: []Recent{{began.Add(2 * Interval), Counts{7, 0, 7}}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if rate := got.Pairs[0].Rate(); rate != 10 {
		t.Errorf("%v requests a second", rate)
	}
	other.Unregister()
	for range 2 * slots {
		c.wait(Interval)
		one.Report(load("a/web|80", 5, 5, 0), Interval)
		got = s.Read()
	}
	if len(got.Pairs) != 1 || got.Pairs[0].Issued != uint64(5*slots) || got.Pairs[0].Over != Window || got.Sidecars != 2 {
		t.Errorf("after two minutes: %+v", got)
	}
}

// TestMemoryIsBounded reports more loads than the limits.
func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	s, dropped := newTestStore(c), 0
	s.Read()
	flood := func(client identity.ServiceAccount, clusters int) {
		loads := make([]Load, clusters)
		for i := range loads {
			loads[i] = Load{Cluster: fmt.Sprint(client.Name, i), Counts: Counts{Issued: 1}}
		}
		dropped += s.Register(entity.InstanceID(client.Name), client, "").Report(loads, Interval)
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
	c.wait(Window / 2)
	s.Read()
	c.wait(Window/2 + time.Second)
	s.Register("late", till, "").Report(load("a/web|80", 1, 1, 0), Interval)
	if len(s.pairs) != 1 || len(s.clusters) != 1 {
		t.Errorf("%d pairs are kept after their sidecars stopped reporting", len(s.pairs))
	}
}

func TestNewerStreamSupersedes(t *testing.T) {
	s := newTestStore(newClock())
	older := s.Register("one", buyer, "")
	newer := s.Register("one", buyer, "")
	older.Unregister()
	if got := s.Read().Sidecars; got != 1 {
		t.Errorf("%d sidecars", got)
	}
	newer.Unregister()
	if got := s.Read().Sidecars; got != 0 {
		t.Errorf("%d sidecars", got)
	}
}
