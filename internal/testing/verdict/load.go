package verdict

import (
	"sync"
	"time"
)

// interval results in about 200 requests a second.
const interval = 5 * time.Millisecond

// sample is one request and its observation.
type sample struct {
	request    int
	start, end time.Time
	seen       string
}

// load sends requests in turn, each on a new connection.
type load struct {
	network  *Network
	requests []Request

	stop    chan struct{}
	ended   chan struct{}
	pending sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	started int
	samples []sample
}

// startLoad starts to send requests.
func (n *Network) startLoad(requests []Request) *load {
	l := &load{network: n, requests: requests, stop: make(chan struct{}), ended: make(chan struct{})}
	l.changed = sync.NewCond(&l.mu)
	go l.run()
	return l
}

func (l *load) run() {
	defer close(l.ended)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for i := 0; ; i = (i + 1) % len(l.requests) {
		select {
		case <-l.stop:
			return
		case <-ticker.C:
		}
		l.mu.Lock()
		l.started++
		l.mu.Unlock()
		l.changed.Broadcast()
		l.pending.Add(1)
		go l.send(i)
	}
}

func (l *load) send(i int) {
	defer l.pending.Done()
	s := sample{request: i, start: time.Now()}
	s.seen = l.network.send(l.requests[i])
	s.end = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, s)
}

// round waits until every request was sent once more.
func (l *load) round() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for until := l.started + len(l.requests); l.started < until; {
		l.changed.Wait()
	}
}

// end stops the load and returns all samples.
func (l *load) end() []sample {
	close(l.stop)
	<-l.ended
	l.pending.Wait()
	return l.samples
}
