package health

import (
	"testing"
	"testing/synctest"
	"time"
)

// In a large mesh an observation costs a fifth of a second, and pods of a wave cause events all the time.
func TestExpensiveObservationsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent
		found := func(key string) bool {
			_, found := r.find(key, time.Now())
			return found
		}
		r.keep("cheap", Observation{}, cheap, time.Now())
		r.keep("medium", Observation{}, 100*time.Millisecond, time.Now())
		r.keep("expensive", Observation{}, time.Minute, time.Now())
		if found("cheap") || !found("medium") || !found("expensive") || found("other") {
			t.Errorf("found: cheap %t, medium %t, expensive %t, another one %t", found("cheap"), found("medium"), found("expensive"), found("other"))
		}
		time.Sleep(time.Second)
		if found("medium") || !found("expensive") {
			t.Errorf("after a second: medium %t, expensive %t", found("medium"), found("expensive"))
		}
		r.keep("expensive", Observation{}, time.Minute, time.Now())
		time.Sleep(maxAge - time.Millisecond)
		synctest.Wait()
		if !found("expensive") {
			t.Error("the earlier observation ends the later one")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if found("expensive") || len(r.observations) != 0 {
			t.Errorf("%d observations are kept for ever", len(r.observations))
		}
	})
}
