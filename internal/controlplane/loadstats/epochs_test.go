package loadstats

import (
	"testing"
	"time"
)

// TestTwoEnvoysOfAPodCountAsOne has a pod of which one Envoy takes over from the other. Both reports count.
func TestTwoEnvoysOfAPodCountAsOne(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	s.Read()
	earlier, later := s.Register("one", buyer, ""), s.Register("one", buyer, "")
	c.wait(Interval)
	const hot = 10_000 // requests in an interval
	for range 3 {
		if dropped := earlier.Report(load("a/web|80", hot, hot, 0), Interval); dropped > 0 {
			t.Errorf("%d reports of the earlier Envoy were dropped", dropped)
		}
		c.wait(time.Millisecond)
		if dropped := later.Report(load("a/web|80", hot, hot, 0), Interval); dropped > 0 {
			t.Errorf("%d reports of the later Envoy were dropped, which followed at once", dropped)
		}
		c.wait(Interval - time.Millisecond)
	}
	got := s.Read()
	if got.Sidecars != 1 || got.Reporting != 1 || len(got.Groups) != 1 || got.Groups[0].Sidecars != 1 {
		t.Errorf("the pod is counted as %+v, want one sidecar that reports", got.Groups)
	}
	if got.Pairs[0].Issued != 6*hot {
		t.Errorf("%d requests count, want those of both Envoys: %d", got.Pairs[0].Issued, 6*hot)
	}
	later.Unregister() // the new Envoy ends, the other one still reports
	if got := s.Read(); got.Sidecars != 1 {
		t.Errorf("%d sidecars are connected after one of two Envoys has left", got.Sidecars)
	}
	earlier.Unregister()
	if got := s.Read(); got.Sidecars != 0 {
		t.Errorf("%d sidecars are connected after both Envoys have left", got.Sidecars)
	}
}

// TestTwoEnvoysHaveAveragesEach reads after a pause during which both Envoys of a pod counted.
func TestTwoEnvoysHaveAveragesEach(t *testing.T) {
	c := newClock()
	s := newTestStore(c)
	earlier, later := s.Register("one", buyer, ""), s.Register("one", buyer, "")
	c.wait(10 * time.Minute)
	received := s.Await()
	c.wait(time.Second)
	earlier.Report(load("a/web|80", 600, 600, 0), 10*time.Minute)
	select {
	case <-received:
		t.Error("one of two Envoys has reported, and nothing is awaited")
	default:
	}
	later.Report(load("a/web|80", 1200, 1200, 0), 10*time.Minute)
	<-received
	got := s.Read()
	if len(got.Pairs) != 1 || !got.Pairs[0].IsAverage || got.Pairs[0].Issued != 1800 || got.Pairs[0].Rate() != 3 {
		t.Errorf("the averages are %+v, want 3 requests per second", got.Pairs)
	}
}
