package cost

import (
	"testing"
	"time"
)

func TestGrowthOf(t *testing.T) {
	for _, test := range []struct {
		name string
		long time.Duration
		want float64
	}{{"linear", 20 * time.Millisecond, 1}, {"quadratic", 400 * time.Millisecond, 20}, {"constant", time.Millisecond, 0.05}} {
		if got := growthOf(time.Millisecond, test.long, 20); got != test.want {
			t.Errorf("%s: growth %v, want %v", test.name, got, test.want)
		}
	}
}
