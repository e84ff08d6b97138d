package datapath

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkCost compares the CPU time that pairs of sidecars need for a request with that of the minimal configuration, for 1,000 requests per second and
// for as many as possible. The pairs take turns, so other load of the machine and the speed of its cores affect all of them.
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
	var names []string
	var all []*taker
	for _, path := range paths {
		if path.name == "direct" {
			continue
		}
		t := newTaker(b, path, protocol)
		t.take(b, turn, rate)
		names, all = append(names, path.name), append(all, t)
	}
	costs := make([][]float64, len(all))
	b.ResetTimer()
	for done := 0; done < b.N; done += turn {
		for i, t := range all {
			costs[i] = append(costs[i], float64(t.take(b, turn, rate).Nanoseconds())/1000/turn)
		}
	}
	b.StopTimer()
	least := lowerDecile(costs[0])
	for i, name := range names {
		cost := lowerDecile(costs[i])
		b.ReportMetric(cost, name+"-µs/op")
		b.ReportMetric(100*(cost/least-1), name+"-%")
	}
}

// taker is a pair whose connections stay open.
type taker struct {
	pair      pair
	exchanges []exchange
}

func newTaker(b *testing.B, path path, protocol protocol) *taker {
	t := &taker{pair: path.pair(b, protocol)}
	connect := func(tb testing.TB) exchange { return protocol.connect(tb, t.pair.client, t.pair.address) }
	awaitResponse(b, connect)
	t.exchanges = open(b, connect)
	return t
}

// take sends n requests and returns the CPU time of the sidecars.
func (t *taker) take(b *testing.B, n, rate int) time.Duration {
	before := usageOf(b, t.pair.sidecars()...)
	send(b, n, rate, t.exchanges)
	return usageOf(b, t.pair.sidecars()...).CPU - before.CPU
}

// lowerDecile is the cost in turns that other load of the machine hardly disturbed: it only adds to the time.
func lowerDecile(list []float64) float64 {
	return slices.Sorted(slices.Values(list))[len(list)/10]
}
