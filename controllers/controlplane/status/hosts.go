package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
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
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
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
		return p.Protocol == catalog.ProtocolHTTP || p.Protocol == catalog.ProtocolHTTPS && len(policy.Prefixes) == 0
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
