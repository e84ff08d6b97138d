package loadstats

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// A sidecar that reconnects has reported nothing on its new stream. It must not make what the others report incomplete.
func TestPodsReportWhateverTheirStream(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	s.Read()
	old, silent := s.Register("old", buyer, "osm-v0-1-0"), s.Register("silent", buyer, "osm-v0-1-0")
	check := func(step string, want ...Group) {
		t.Helper()
		if diff := cmp.Diff(want, s.Read().Groups); diff != "" {
			t.Errorf("%s: -want +got:\n%s", step, diff)
		}
	}
	check("new streams", Group{buyer, "osm-v0-1-0", 2, 0, 2})
	c.wait(Interval)
	old.Report(load("a/web|80", 1, 1, 0), Interval)
	check("one has reported", Group{buyer, "osm-v0-1-0", 2, 1, 1})
	c.wait(Grace)
	check("the other is silent", Group{buyer, "osm-v0-1-0", 2, 1, 0})
	old.Unregister()
	s.Register("old", buyer, "osm-v0-1-0")
	s.Register("new", buyer, "osm-v0-2-0").Report(load("a/web|80", 1, 1, 0), Interval)
	check("a new stream of the same pod", Group{buyer, "osm-v0-1-0", 2, 1, 0}, Group{buyer, "osm-v0-2-0", 1, 1, 0})
	silent.Unregister()
	for range 5 {
		c.wait(Interval * 3)
		s.Read()
	}
	check("no report for more than a minute", Group{buyer, "osm-v0-1-0", 1, 0, 0}, Group{buyer, "osm-v0-2-0", 1, 0, 0})
	if len(s.reported) > 0 {
		t.Errorf("%d pods use memory after they stopped to report", len(s.reported))
	}
}

// TestRevisionsAreCountedApart has sidecars of two revisions of one identity.
func TestRevisionsAreCountedApart(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	s.Read()
	c.wait(Interval)
	s.Register("one", buyer, "osm-v0-1-0").Report(load("a/web|80", 9, 9, 0), Interval)
	s.Register("two", buyer, "osm-v0-2-0").Report(load("a/web|80", 5, 0, 5), Interval)
	var got []string
	for _, p := range s.Read().Pairs {
		got = append(got, fmt.Sprintf("%s %s %d/%d", p.Revision, p.Cluster, p.Failed, p.Issued))
	}
	if diff := cmp.Diff([]string{"osm-v0-1-0 a/web|80 0/9", "osm-v0-2-0 a/web|80 5/5"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestChurn simulates 10,000 sidecars on three replicas whose connections end after 30 minutes, each at another time. Every two seconds
// all replicas are read.
func TestChurn(t *testing.T) {
	const sidecars, age = 10_000, 30 * time.Minute
	c := newClock()
	replicas := []*Store{newTestStore(c), newTestStore(c), newTestStore(c)}
	reporters := make([]*Reporter, sidecars)
	connect := func(i, replica int) {
		if reporters[i] != nil {
			reporters[i].Unregister()
		}
		reporters[i] = replicas[replica].Register(entity.InstanceID(fmt.Sprint(i)), buyer, "")
	}
	for i := range sidecars {
		connect(i, i%3)
	}
	read := func() (sum Group) {
		for _, s := range replicas {
			for _, g := range s.Read().Groups {
				sum.Sidecars, sum.Reporting, sum.Starting = sum.Sidecars+g.Sidecars, sum.Reporting+g.Reporting, sum.Starting+g.Starting
			}
		}
		return sum
	}
	seconds := int(age.Seconds())
	for second := range 300 {
		c.wait(time.Second)
		for i := second % 5; i < sidecars; i += 5 {
			reporters[i].Report(nil, Interval)
		}
		for i := second; i < sidecars; i += seconds {
			connect(i, (i+second)%3)
		}
		if second%2 == 1 {
			continue
		}
		if sum := read(); second > 10 && (sum.Sidecars != sidecars || sum.Reporting+sum.Starting != sidecars || sum.Starting > 100) {
			t.Fatalf("after %d s: %+v, want all of %d to report or to start", second, sum, sidecars)
		}
	}
}
