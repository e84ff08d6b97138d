package loadstats

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/identity"
)

var (
	buyer = identity.ServiceAccount{Namespace: "shop", Name: "buyer"}
	till  = identity.ServiceAccount{Namespace: "shop", Name: "till"}
)

// clock is one that tests move. It begins at the start of an interval.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Unix(1_800_000_000, 0).UTC()} }

func (c *clock) wait(d time.Duration) { c.now = c.now.Add(d) }

func newTestBook(c *clock) *Book { return NewBook(func() time.Time { return c.now }) }

// asked says whether sidecars are asked at the moment.
func (b *Book) asked() bool {
	until, _ := b.Asked()
	return b.now().Before(until)
}

func load(cluster string, issued, succeeded, failed uint64) []Load {
	return []Load{{cluster, Counts{issued, succeeded, failed}}}
}

// TestOnlyWhileSomebodyReads follows two readers with a long time between them.
func TestOnlyWhileSomebodyReads(t *testing.T) {
	c := newClock()
	b := newTestBook(c)
	r := b.Join("one", buyer)
	r.Report(load("a/web|80", 1, 1, 0), Interval)
	if b.asked() {
		t.Error("sidecars are asked though nobody reads")
	}
	_, changed := b.Asked()
	if got := b.Read(); len(got.Pairs) > 0 || got.Sidecars != 1 || got.Reporting != 0 || !got.Since.Equal(c.now) {
		t.Errorf("the first reader is told %+v", got)
	}
	select {
	case <-changed:
	default:
		t.Error("streams are not told that sidecars are asked")
	}
	_, changed = b.Asked()
	c.wait(Lease - time.Second)
	b.Read()
	c.wait(Lease - time.Second)
	if !b.asked() {
		t.Error("the second reader has not prolonged the lease")
	}
	r.Report(load("a/web|80", 1, 1, 0), Interval)
	c.wait(2 * time.Second)
	if b.asked() {
		t.Error("sidecars are asked though nobody has read for a minute")
	}
	select {
	case <-changed:
		t.Error("streams were told of a lease that they knew of")
	default:
	}
	if got := b.Read(); len(got.Pairs) > 0 || got.Reporting != 0 {
		t.Errorf("a new reader is told what was reported for the last one: %+v", got)
	}
}

func TestRates(t *testing.T) {
	c := newClock()
	b := newTestBook(c)
	b.Read()
	began := c.now
	one, two, other := b.Join("one", buyer), b.Join("two", buyer), b.Join("three", till)
	c.wait(Interval)
	one.Report(load("a/web|80", 40, 30, 10), Interval)
	two.Report(load("a/web|80", 10, 10, 0), Interval)
	c.wait(Interval)
	one.Report(load("a/web|80", 50, 50, 0), Interval)
	other.Report(load("a/web|80", 7, 0, 7), Interval)
	got := b.Read()
	want := Loads{Since: began, Sidecars: 3, Reporting: 3, Pairs: []Pair{
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
	other.Leave()
	for range 2 * slots {
		c.wait(Interval)
		one.Report(load("a/web|80", 5, 5, 0), Interval)
		got = b.Read()
	}
	if len(got.Pairs) != 1 || got.Pairs[0].Issued != uint64(5*slots) || got.Pairs[0].Over != Window || got.Sidecars != 2 {
		t.Errorf("after two minutes: %+v", got)
	}
}

// TestMemoryIsBounded reports more than there is room for.
func TestMemoryIsBounded(t *testing.T) {
	c := newClock()
	b, dropped := newTestBook(c), 0
	b.Read()
	flood := func(client identity.ServiceAccount, clusters int) {
		loads := make([]Load, clusters)
		for i := range loads {
			loads[i] = Load{Cluster: fmt.Sprint(client.Name, i), Counts: Counts{Issued: 1}}
		}
		dropped += b.Join(client.Name, client).Report(loads, Interval)
	}
	flood(buyer, maxClusters+3)
	dropped += b.Join("long", till).Report(load(strings.Repeat("x", maxName+1), 1, 1, 0), Interval)
	if len(b.pairs) != maxClusters || dropped != 4 {
		t.Errorf("%d pairs are kept, %d dropped", len(b.pairs), dropped)
	}
	for i := range maxPairs/maxClusters + 2 {
		flood(identity.ServiceAccount{Namespace: "x", Name: fmt.Sprint(i)}, maxClusters)
	}
	if len(b.pairs) != maxPairs {
		t.Errorf("%d pairs are kept", len(b.pairs))
	}
	c.wait(Window / 2)
	b.Read()
	c.wait(Window/2 + time.Second)
	b.Join("late", till).Report(load("a/web|80", 1, 1, 0), Interval)
	if len(b.pairs) != 1 || len(b.clusters) != 1 {
		t.Errorf("%d pairs are kept of sidecars that report no more", len(b.pairs))
	}
}

func TestNumbersThatNobodyCanHave(t *testing.T) {
	c := newClock()
	b := newTestBook(c)
	b.Read()
	r := b.Join("one", buyer)
	for range 2 {
		r.Report(load("a/web|80", 1<<63, 1, 1), 1<<62)
	}
	if got := b.Read().Pairs[0]; got.Issued != ^uint64(0) || got.Over != Window {
		t.Errorf("%+v", got)
	}
	r.Report(load("a/new|80", 1, 1, 1), -time.Hour)
	if got := b.Read().Pairs[0]; got.Over != 0 || got.Rate() != 0 {
		t.Errorf("%+v", got)
	}
}

func TestOneStreamAPod(t *testing.T) {
	b := newTestBook(newClock())
	older := b.Join("one", buyer)
	newer := b.Join("one", buyer)
	select {
	case <-older.Ended():
	default:
		t.Error("the older stream goes on")
	}
	older.Leave()
	if got := b.Read().Sidecars; got != 1 {
		t.Errorf("%d sidecars", got)
	}
	newer.Leave()
	if got := b.Read().Sidecars; got != 0 {
		t.Errorf("%d sidecars", got)
	}
}
