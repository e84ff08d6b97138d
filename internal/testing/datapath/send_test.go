package datapath

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	// connections is the number of connections that requests are sent on.
	connections = 16
	// rate is the number of requests per second on all connections.
	rate = 1000
)

// exchange sends one request and waits for the response.
type exchange func() error

// latencies are the sorted times from when a request was due to its response.
type latencies []time.Duration

// percentile returns the smallest latency that a share of the requests do not exceed.
func (l latencies) percentile(share float64) time.Duration {
	return l[min(int(share*float64(len(l))), len(l)-1)]
}

// report reports percentiles in microseconds. The prefix is that of their names.
func (l latencies) report(b *testing.B, prefix string) {
	b.Helper()
	for name, share := range map[string]float64{"p50-µs": 0.5, "p90-µs": 0.9, "p99-µs": 0.99, "p99.9-µs": 0.999} {
		b.ReportMetric(float64(l.percentile(share).Microseconds()), prefix+name)
	}
}

// open returns an exchange for each connection.
func open(t testing.TB, connect func(testing.TB) exchange) []exchange {
	exchanges := make([]exchange, connections)
	for i := range exchanges {
		exchanges[i] = connect(t)
	}
	return exchanges
}

// send makes n requests. A rate is that of all connections in a second: a request that is late because the one before took long counts from when
// it was due. Without a rate, each connection sends its next request at once.
func send(b *testing.B, n, rate int, exchanges []exchange) latencies {
	b.Helper()
	measured := make(latencies, n)
	var next atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for _, call := range exchanges {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				due := time.Now()
				if rate > 0 {
					due = start.Add(time.Duration(i) * time.Second / time.Duration(rate))
					time.Sleep(time.Until(due))
				}
				if err := call(); err != nil {
					b.Errorf("request %d: %v", i, err)
					return
				}
				measured[i] = time.Since(due)
			}
		})
	}
	group.Wait()
	slices.Sort(measured)
	return measured
}
