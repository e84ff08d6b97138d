package verdict

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
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

// end is a port of a pod that may receive a request.
type end struct {
	pod  catalog.Name
	port uint16
	// http is true if its sidecar authorizes requests.
	http bool
}

// String returns the name of the application.
func (e end) String() string { return fmt.Sprintf("%s:%d", e.pod.Name, e.port) }

// ends returns the applications that may receive a request: pods of the identity behind the Service.
func (o *oracle) ends(a authz.Answer) []end {
	var list []end
	view := o.catalog.View()
	service := view.Service(a.Service)
	if service == nil {
		return nil
	}
	for _, port := range service.Ports {
		for _, b := range view.Backends(service, port) {
			i := slices.IndexFunc(pods, func(p pod) bool { return podAddress(slices.Index(pods, p)) == b.Address.Addr() })
			if b.Identity == a.Destination {
				list = append(list, end{pods[i].name, b.Address.Port(), authz.EffectiveProtocol(view, service, port).IsHTTP()})
			}
		}
	}
	return list
}

// observationsAt returns the possible observations of a request that arrives at an application or its sidecar. Authorization servers are asked
// about requests that policies allow, and about some that routes reject as ambiguous.
func (o *oracle) observationsAt(e end, a authz.Answer, r Request) []string {
	refusal := ""
	if e.http {
		refusal = o.refusal(e.pod, r)
	}
	switch {
	case a.Outcome == authz.Allowed && refusal == "":
		return []string{e.String()}
	case a.Outcome == authz.Allowed, a.Outcome == authz.BadRequest && refusal != "":
		return []string{refusal}
	}
	return nil
}
