package status

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeDNS answers at once, except for hosts that begin with "slow".
type fakeDNS struct {
	queries atomic.Int32
	missing atomic.Bool
}

func (d *fakeDNS) lookup(ctx context.Context, host string) ([]string, error) {
	d.queries.Add(1)
	switch {
	case strings.HasPrefix(host, "slow"):
		<-ctx.Done()
		return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true}
	case d.missing.Load():
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return []string{"192.0.2.1"}, nil
}

// TestHostCache_AnswersAtOnce checks that answers are those of the DNS servers, at most half an interval old.
func TestHostCache_AnswersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{}
		c := newHostCache(dns.lookup)
		expect := func(queries int32, found bool) {
			t.Helper()
			_, err := c.lookupHost(t.Context(), "api.example.com")
			if (err == nil) != found || dns.queries.Load() != queries {
				t.Errorf("%v after %d queries, want %d and found %t", err, dns.queries.Load(), queries, found)
			}
		}
		expect(1, true)
		dns.missing.Store(true)
		expect(1, true)
		time.Sleep(lookupInterval)
		expect(2, false)
		dns.missing.Store(false)
		time.Sleep(lookupInterval)
		expect(3, true)
	})
}

// TestHostCache_SlowHostsDelayNoOther has a namespace whose hosts are never answered.
func TestHostCache_SlowHostsDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{}
		c := newHostCache(dns.lookup)
		begin := time.Now()
		for i := range 1000 {
			if _, err := c.lookupHost(t.Context(), fmt.Sprintf("slow-%d.example.com", i)); !errors.Is(err, errNotAnswered) {
				t.Fatalf("slow host %d: %v", i, err)
			}
		}
		if waited := time.Since(begin); waited > busyQueries*answerWait {
			t.Errorf("evaluations waited for %s", waited)
		}
		time.Sleep(5 * time.Minute)
		if _, err := c.lookupHost(t.Context(), "api.example.com"); err != nil {
			t.Errorf("another host: %v", err)
		}
		var failure *net.DNSError
		if _, err := c.lookupHost(t.Context(), "slow-0.example.com"); !errors.As(err, &failure) || !failure.IsTimeout {
			t.Errorf("a slow host: %v, want the answer of the earlier query", err)
		}
		time.Sleep(lookupTimeout)
	})
}

// TestHostCache_NamespacesShareIt has a namespace that names as many hosts as it can.
func TestHostCache_NamespacesShareIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHostCache((&fakeDNS{}).lookup)
		greedy, other := context.WithValue(t.Context(), namespaceKey{}, "greedy"), context.WithValue(t.Context(), namespaceKey{}, "other")
		for i := range maxHosts {
			_, _ = c.lookupHost(greedy, fmt.Sprint(i))
		}
		if _, err := c.lookupHost(greedy, "one-more"); !errors.Is(err, errNotAnswered) {
			t.Errorf("a host beyond the share of a namespace: %v", err)
		}
		if _, err := c.lookupHost(other, "api.example.com"); err != nil {
			t.Errorf("the host of another namespace: %v", err)
		}
	})
}

// TestHostCache_IsBounded checks that unused hosts are replaced, and that used ones are kept.
func TestHostCache_IsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dns := &fakeDNS{}
		c := newHostCache(dns.lookup)
		for i := range maxHosts {
			namespace := context.WithValue(t.Context(), namespaceKey{}, fmt.Sprint(i/maxNamespaceHosts))
			_, _ = c.lookupHost(namespace, fmt.Sprint(i))
		}
		if _, err := c.lookupHost(t.Context(), "one-more"); !errors.Is(err, errNotAnswered) {
			t.Errorf("a host beyond the bound: %v", err)
		}
		time.Sleep(unusedTime)
		_, _ = c.lookupHost(t.Context(), "0")
		time.Sleep(time.Second)
		if _, err := c.lookupHost(t.Context(), "one-more"); err != nil || len(c.answers) != 2 {
			t.Errorf("after others are unused: %v, %d hosts", err, len(c.answers))
		}
	})
}
