package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
)

// HostLookup returns the addresses of a host. It is the method LookupHost of a net.Resolver.
type HostLookup func(ctx context.Context, host string) ([]string, error)

const (
	// lookupTimeout bounds a query, and the queries for the hosts of one object.
	lookupTimeout = 3 * time.Second
	// lookupConcurrency bounds simultaneous queries for one object.
	lookupConcurrency = 8
	// lookupInterval is the interval at which hosts are looked up again.
	lookupInterval = time.Minute
)

// unresolvedHosts returns the hosts of an Egress that the control plane cannot resolve. Sidecars resolve hosts themselves, so a failed
// query is only a warning.
func unresolvedHosts(ctx context.Context, lookup HostLookup, policy *catalog.Egress) []ingest.Problem {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, namespaceKey{}, policy.Name.Namespace), lookupTimeout)
	defer cancel()
	failures := make([]error, len(policy.Hosts))
	slots := make(chan struct{}, lookupConcurrency)
	var queries sync.WaitGroup
	for i, host := range policy.Hosts {
		if !needsLookup(policy, host) {
			continue
		}
		queries.Go(func() {
			slots <- struct{}{}
			_, failures[i] = lookup(ctx, qualify(host, policy.Name.Namespace))
			<-slots
		})
	}
	queries.Wait()
	var problems []ingest.Problem
	for i, err := range failures {
		if err != nil && !errors.Is(err, errNotAnswered) {
			problems = append(problems, unresolvedHost(policy.Hosts[i], err))
		}
	}
	return problems
}

// needsLookup reports whether sidecars resolve a host.
func needsLookup(policy *catalog.Egress, host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || strings.HasPrefix(host, "*.") {
		return false
	}
	return slices.ContainsFunc(policy.Ports, func(p catalog.EgressPort) bool {
		return p.Protocol == inventory.ProtocolHTTP || p.Protocol == catalog.ProtocolHTTPS && len(policy.Prefixes) == 0
	})
}

// qualify returns the name that the pods of a namespace mean by a host without dots.
func qualify(host, namespace string) string {
	if strings.Contains(host, ".") {
		return host
	}
	return host + "." + namespace + ".svc"
}

func unresolvedHost(host string, err error) ingest.Problem {
	p := ingest.Problem{Reason: kinds.ReasonHostNotResolved}
	var failure *net.DNSError
	if errors.As(err, &failure) && failure.IsNotFound {
		p.Message = fmt.Sprintf("The host %s of spec.hosts has no address, so requests to it get status 503: correct the name, or create its DNS record.", host)
		return p
	}
	p.Warning = true
	p.Message = fmt.Sprintf("The control plane cannot look up the host %s of spec.hosts. Sidecars look it up themselves: check the DNS servers of the cluster.", host)
	return p
}

const (
	// answerWait is how long an evaluation waits for an answer about a host. Later answers are used by the next evaluation.
	answerWait = 200 * time.Millisecond
	// busyQueries is the number of running queries from which no evaluation waits.
	busyQueries = 4
	// maxQueries bounds simultaneous queries for all objects.
	maxQueries = 32
	// maxHosts bounds the hosts with an answer. Further ones are not looked up.
	maxHosts = 4096
	// maxNamespaceHosts bounds those that the policies of one namespace name first, so that a namespace leaves room for others.
	maxNamespaceHosts = 1024
	// unusedTime is how long the answer about a host is kept that no object names any more.
	unusedTime = 5 * lookupInterval
)

// errNotAnswered is that a query has no answer yet, so that nothing is known about a host.
var errNotAnswered = errors.New("the query for the host is not answered yet")

// namespaceKey is the key of the namespace whose policy names a host, in the context of a lookup.
type namespaceKey struct{}

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
	// namespace is that of the policy that named the host first.
	namespace string
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
	namespace, _ := ctx.Value(namespaceKey{}).(string)
	answered := c.refresh(namespace, host)
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
func (c *hostCache) refresh(namespace, host string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	a := c.answers[host]
	if a == nil {
		if !c.makeRoom(namespace, now) {
			return nil
		}
		a = &hostAnswer{namespace: namespace}
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

// makeRoom removes unused hosts if there are too many, and reports whether a namespace may add another one.
func (c *hostCache) makeRoom(namespace string, now time.Time) bool {
	if len(c.answers) < maxHosts && c.hostsOf(namespace) < maxNamespaceHosts {
		return true
	}
	maps.DeleteFunc(c.answers, func(_ string, a *hostAnswer) bool { return a.answered == nil && now.Sub(a.used) > unusedTime })
	return len(c.answers) < maxHosts && c.hostsOf(namespace) < maxNamespaceHosts
}

// hostsOf returns how many hosts a namespace has added.
func (c *hostCache) hostsOf(namespace string) int {
	n := 0
	for _, a := range c.answers {
		if a.namespace == namespace {
			n++
		}
	}
	return n
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
