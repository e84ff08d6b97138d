package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// holdConnections sends requests on a number of connections, which are idle for a random time between two of them. All send their first request at once, so
// the sidecars have many connections too. A connection that the server closes is opened again with the next request.
//
// Like other clients of Go, it repeats a request that has no side effects when its connection ends before the response.
func (s *sender) holdConnections(ctx context.Context) {
	var number atomic.Int64
	var group sync.WaitGroup
	defer group.Wait()
	for range s.options.connections {
		group.Go(func() {
			client := s.options.client()
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				s.sendOne(client, int(number.Add(1)))
				select {
				case <-time.After(rand.N(s.options.pause)):
				case <-ctx.Done():
				}
			}
		})
	}
}
