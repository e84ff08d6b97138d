package snapshot

import (
	"errors"
	"testing"
	"time"
)

// TestCertificateBackoff has an issuer that is away for an hour. A new workload gets its certificate within a minute of the issuer's return, and
// the issuer gets few requests meanwhile.
func TestCertificateBackoff(t *testing.T) {
	for _, jitter := range []float64{0, 0.999} {
		h := newHarness()
		h.store.config.Jitter = func() float64 { return jitter }
		var delays []time.Duration
		h.store.afterFunc = func(d time.Duration, _ func()) { delays = append(delays, d) }
		n := &identityNode{}
		var away time.Duration
		for away < time.Hour {
			h.store.retryCertificate(n, errors.New("the issuer is away"))
			last := delays[len(delays)-1]
			if last > time.Minute {
				t.Fatalf("jitter %v: the next attempt follows after %s, want at most a minute", jitter, last)
			}
			away += last
		}
		if delays[0] > 2*time.Second || len(delays) > 130 {
			t.Errorf("jitter %v: first delay %s, %d attempts in an hour; want one soon, and at most 130", jitter, delays[0], len(delays))
		}
	}
}
