package status

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"
)

const (
	// answerWait is how long an evaluation waits for an answer about a host. Later answers are used by the next evaluation.
	answerWait = 200 * time.Millisecond
	// busyQueries is the number of running queries from which no evaluation waits.
	busyQueries = 4
	// maxQueries bounds simultaneous queries for all objects.
	maxQueries = 32
	// maxHosts bounds the hosts with an answer. Further ones are not looked up.
	maxHosts = 4096
	// unusedTime is how long the answer about a host is kept that no object names any more.
	unusedTime = 5 * lookupInterval
)

// errNotAnswered is that a query has no answer yet, so that nothing is known about a host.
var errNotAnswered = errors.New("the query for the host is not answered yet")

// hostCache looks hosts up in the background. The servers of a domain can take seconds for each query, and everybody may name their hosts in
// policies: the status of other objects must not wait for them.
type hostCache struct {
	lookup HostLookup
	// slots has one element for each running query.
	slots chan struct{}

	mu      sync.Mutex
	answers map[string]*hostAnswer
}

// hostAnswer is what is known about a host.
type hostAnswer struct {
	addresses []string
	err       error
	at, used  time.Time
	// answered is closed when the running query is answered; nil without one.
	answered chan struct{}
}

func newHostCache(lookup HostLookup) *hostCache {
	return &hostCache{lookup: lookup, slots: make(chan struct{}, maxQueries), answers: map[string]*hostAnswer{}}
}

// lookupHost is a HostLookup that waits for a short time only. Without an answer of an earlier query it then returns errNotAnswered.
func (c *hostCache) lookupHost(ctx context.Context, host string) ([]string, error) {
	answered := c.refresh(host)
	if answered != nil && len(c.slots) < busyQueries {
		ctx, cancel := context.WithTimeout(ctx, answerWait)
		defer cancel()
		select {
		case <-answered:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.answers[host]; a != nil && !a.at.IsZero() {
		return a.addresses, a.err
	}
	return nil, errNotAnswered
}

// refresh starts a query for a host whose answer is missing or old. It returns a channel that is closed when the running query is
// answered; nil without one.
func (c *hostCache) refresh(host string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	a := c.answers[host]
	if a == nil {
		if !c.makeRoom(now) {
			return nil
		}
		a = &hostAnswer{}
		c.answers[host] = a
	}
	a.used = now
	// Evaluations are an interval apart, or a moment less.
	if a.answered == nil && now.Sub(a.at) > lookupInterval/2 {
		a.answered = make(chan struct{})
		go c.query(host, a)
	}
	return a.answered
}

// makeRoom removes unused hosts if there are too many, and reports whether another one may be added.
func (c *hostCache) makeRoom(now time.Time) bool {
	if len(c.answers) >= maxHosts {
		maps.DeleteFunc(c.answers, func(_ string, a *hostAnswer) bool { return a.answered == nil && now.Sub(a.used) > unusedTime })
	}
	return len(c.answers) < maxHosts
}

func (c *hostCache) query(host string, a *hostAnswer) {
	c.slots <- struct{}{}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	addresses, err := c.lookup(ctx, host)
	<-c.slots
	c.mu.Lock()
	defer c.mu.Unlock()
	a.addresses, a.err, a.at = addresses, err, time.Now()
	close(a.answered)
	a.answered = nil
}
