package datapath

import (
	"slices"
	"testing"
)

// BenchmarkCost compares the CPU time that pairs of sidecars need for a request with that of the minimal configuration, for 1,000 requests per second and
// for as many as possible. It also measures latencies, those without sidecars too, and the private memory of both sidecars. The pairs take turns, so other load of the machine and the speed of its cores affect all of them.
func BenchmarkCost(b *testing.B) {
	for _, protocol := range protocols {
		for _, load := range []struct {
			name string
			rate int
		}{{"paced", rate}, {"saturated", 0}} {
			b.Run(protocol.name+"/"+load.name, func(b *testing.B) { compare(b, protocol, load.rate) })
		}
	}
}

// turn is the number of requests that a pair handles before the next one does.
const turn = 500

func compare(b *testing.B, protocol protocol, rate int) {
	takers := make([]*taker, len(paths))
	for i, path := range paths {
		takers[i] = newTaker(b, path, protocol)
		takers[i].warmUp(b, rate)
	}
	takeTurns(b, takers, rate)
	least := 0.0
	for i, t := range takers {
		name := paths[i].name
		t.latencies.report(b, name+"-")
		if len(t.pair.sidecars()) == 0 {
			continue
		}
		cost := lowerDecile(t.costs)
		if least == 0 {
			least = cost
		}
		b.ReportMetric(cost, name+"-cpu-µs/op")
		b.ReportMetric(100*(cost/least-1), name+"-cpu-%")
		b.ReportMetric(float64(usageOf(b, t.pair.sidecars()...).Private)/1e6, name+"-private-MB")
	}
}

// takeTurns lets pairs take turns until each has sent the requests of the benchmark.
func takeTurns(b *testing.B, takers []*taker, rate int) {
	b.Helper()
	b.ResetTimer()
	for done := 0; done < b.N; done += turn {
		for _, t := range takers {
			t.take(b, rate)
		}
	}
	b.StopTimer()
	for _, t := range takers {
		slices.Sort(t.latencies)
	}
}

// taker is a pair whose connections stay open.
type taker struct {
	pair      pair
	exchanges []exchange
	// costs has the CPU time of both sidecars for a request, in microseconds, for each turn.
	costs []float64
	// latencies are those of all turns. They are sorted when the turns are over.
	latencies latencies
}

func newTaker(b *testing.B, path path, protocol protocol) *taker {
	t := &taker{pair: path.pair(b, protocol)}
	connect := func(tb testing.TB) exchange { return protocol.connect(tb, t.pair.client, t.pair.address) }
	awaitResponse(b, connect)
	t.exchanges = open(b, connect)
	return t
}

// warmUp sends the requests of a turn that does not count.
func (t *taker) warmUp(b *testing.B, rate int) { send(b, turn, rate, t.exchanges) }

// take sends the requests of a turn.
func (t *taker) take(b *testing.B, rate int) {
	before := usageOf(b, t.pair.sidecars()...)
	t.latencies = append(t.latencies, send(b, turn, rate, t.exchanges)...)
	used := usageOf(b, t.pair.sidecars()...).CPU - before.CPU
	t.costs = append(t.costs, float64(used.Nanoseconds())/1000/turn)
}

// lowerDecile is the cost in turns that other load of the machine hardly disturbed: it only adds to the time.
func lowerDecile(list []float64) float64 {
	return slices.Sorted(slices.Values(list))[len(list)/10]
}
