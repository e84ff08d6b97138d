package cost_test

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/testing/cost"
)

// failures counts the errors of a test.
type failures struct {
	testing.TB
	count int
}

func (f *failures) Helper()               {}
func (f *failures) Errorf(string, ...any) { f.count++ }

// TestCheckLinear checks an operation with linear and one with quadratic time.
func TestCheckLinear(t *testing.T) {
	const size, factor = 3000, 20
	sum := 0
	loop := func(n int) func() {
		return func() {
			for i := range n {
				sum += i
			}
		}
	}
	linear, quadratic := &failures{TB: t}, &failures{TB: t}
	cost.CheckLinear(linear, factor, loop(size*1000), loop(size*1000*factor))
	cost.CheckLinear(quadratic, factor, loop(size*size/36), loop(size*factor*size*factor/36))
	if linear.count != 0 || quadratic.count != 1 {
		t.Errorf("linear failed %d times, quadratic %d times: %d", linear.count, quadratic.count, sum)
	}
}
