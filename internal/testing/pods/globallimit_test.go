package pods_test

import (
	"bufio"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

const rateLimitPort = 8081

// limiterLimit is the duration of a request while the service hangs: its timeout of one second, and time for a busy machine.
const limiterLimit = 3 * time.Second

// limiterLatency is longer than a TLS handshake in a pod network.
const limiterLatency = 30 * time.Millisecond

// limiter is a rate limit service that rejects some descriptors, as "<domain> <key>=<value>...".
type limiter struct {
	ratelimitv3.UnimplementedRateLimitServiceServer

	mu   sync.Mutex
	over map[string]bool
	// hangs is true while the service does not answer.
	hangs atomic.Bool
}

func (l *limiter) reject(descriptors ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = map[string]bool{}
	for _, descriptor := range descriptors {
		l.over[descriptor] = true
	}
}

func (l *limiter) ShouldRateLimit(ctx context.Context, r *ratelimitv3.RateLimitRequest) (*ratelimitv3.RateLimitResponse, error) {
	if l.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	// A real service answers after the TLS handshake of the client.
	timer := time.NewTimer(limiterLatency)
	defer timer.Stop()
	<-timer.C
	l.mu.Lock()
	defer l.mu.Unlock()
	answer := &ratelimitv3.RateLimitResponse{OverallCode: ratelimitv3.RateLimitResponse_OK}
	for _, descriptor := range r.GetDescriptors() {
		text := r.GetDomain()
		for _, entry := range descriptor.GetEntries() {
			text += fmt.Sprintf(" %s=%s", entry.GetKey(), entry.GetValue())
		}
		status := &ratelimitv3.RateLimitResponse_DescriptorStatus{
			Code:         ratelimitv3.RateLimitResponse_OK,
			CurrentLimit: &ratelimitv3.RateLimitResponse_RateLimit{RequestsPerUnit: 7, Unit: ratelimitv3.RateLimitResponse_RateLimit_MINUTE},
		}
		if l.over[text] {
			answer.OverallCode, status.Code = ratelimitv3.RateLimitResponse_OVER_LIMIT, ratelimitv3.RateLimitResponse_OVER_LIMIT
		}
		answer.Statuses = append(answer.Statuses, status)
	}
	return answer, nil
}

// serve starts the service; stop ends it.
func (l *limiter) serve(t *testing.T, pod *pods.Pod) (stop func()) {
	t.Helper()
	server := grpc.NewServer()
	ratelimitv3.RegisterRateLimitServiceServer(server, l)
	listener := pod.NS.Listen(t, nstest.Address(pod.IP.String(), rateLimitPort))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return server.Stop
}

// A rate limit service decides about requests and connections. Without it, the limit fails open or closed.
func TestGlobalRateLimits(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	outside := s.network.Bare(t)
	l := &limiter{}
	stop := l.serve(t, outside)
	common := upstream.GlobalLimit{Address: outside.IP.String(), Port: rateLimitPort, Domain: "shop", Timeout: time.Second}
	configure := func(failOpen bool) {
		t.Helper()
		common.FailOpen = failOpen
		server := s.serverScope()
		server.Inbound[0].Limits = &scope.Limits{
			Policy: entity.Ref{Kind: upstream.Kind, Name: entity.Name{Namespace: "shop", Name: "limits"}},
			GlobalRequests: &upstream.GlobalRequestLimit{
				GlobalLimit: common, LimitHeaders: true, Status: 429,
				Descriptors: []upstream.RequestDescriptor{{{Value: "web"}, {Key: "user", Header: "x-user"}}},
				Routes:      []upstream.RouteDescriptors{{Path: "/books/.*", Descriptors: []upstream.RequestDescriptor{{{Value: "books"}}, {{Key: "user", Header: "x-user"}}}}},
			},
		}
		for i := range server.Inbound {
			if !server.Inbound[i].Protocol.IsHTTP() {
				server.Inbound[i].Limits = &scope.Limits{GlobalConnections: &upstream.GlobalConnectionLimit{
					GlobalLimit: common, Descriptors: []upstream.ConnectionDescriptor{{{Key: "to", Value: "archive"}}},
				}}
			}
		}
		s.configure(t, s.clientScope(), server)
	}
	get := func(headers ...string) (int, string) {
		answer := s.client.Get(t, "http://"+webIP.String()+"/books/1", headers...)
		return answer.Status, answer.Header.Get("X-Ratelimit-Limit")
	}
	expect := func(what string, want int, headers ...string) {
		t.Helper()
		eventually.True(t, 10*time.Second, fmt.Sprintf("%s: status %d", what, want), func() bool {
			status, _ := get(headers...)
			return status == want
		})
	}
	archived := func() bool {
		answer, err := s.client.Exchange(t, nstest.Address(archiveIP.String(), 3306), "hello\n")
		return err == nil && answer != ""
	}
	// The database sends data first.
	greeted := func() bool {
		conn, err := s.client.Dial(t, "10.96.0.2:3306")
		if err != nil {
			return false
		}
		defer conn.Close()
		line, err := bufio.NewReader(conn).ReadString('\n')
		return err == nil && line == "welcome\n"
	}
	configure(true)
	expect("below the limit", 200)
	for i := range 5 {
		if !archived() || !greeted() {
			t.Errorf("connection %d below the limit is not forwarded", i)
		}
	}
	if _, limit := get(); limit == "" {
		t.Error("the response has no header with the limit")
	}
	l.reject("shop generic_key=books")
	expect("above the limit of the route", 429)
	l.reject("shop user=reader", "shop to=archive")
	expect("above the limit of another user", 200, "x-user: writer")
	expect("above the limit of the user", 429, "x-user: reader")
	eventually.True(t, 10*time.Second, "a connection above the limit is closed", func() bool { return !archived() })
	l.reject("shop generic_key=web user=reader")
	expect("descriptors of the Service do not apply to a route with its own", 200, "x-user: reader")
	eventually.True(t, 10*time.Second, "a connection below the limit is forwarded", archived)

	l.hangs.Store(true)
	expect("the service hangs, and the limit fails open", 200)
	requireWithin(t, limiterLimit, "status 200 while the service hangs", func() bool { status, _ := get(); return status == 200 })
	requireWithin(t, limiterLimit, "connection while the service hangs", archived)
	configure(false)
	expect("the service hangs, and the limit fails closed", 503)
	requireWithin(t, limiterLimit, "status 503 while the service hangs", func() bool { status, _ := get(); return status == 503 })
	eventually.True(t, 10*time.Second, "connections are closed while the service hangs", func() bool { return !archived() })
	requireWithin(t, limiterLimit, "closed connection while the service hangs", func() bool { return !archived() })
	l.hangs.Store(false)
	configure(true)
	expect("the service answers again", 200)

	stop()
	expect("the service is away, and the limit fails open", 200)
	eventually.True(t, 10*time.Second, "connections are forwarded", archived)
	configure(false)
	expect("the service is away, and the limit fails closed", 503)
	eventually.True(t, 10*time.Second, "connections are closed", func() bool { return !archived() })
}
