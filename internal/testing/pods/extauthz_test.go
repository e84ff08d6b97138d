package pods_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// authorizer is an authorization server that denies paths ending in "secret". It hangs while hangs is true.
type authorizer struct {
	authv3.UnimplementedAuthorizationServer

	asked atomic.Int32
	hangs atomic.Bool
	// principal is the identity of the last client.
	principal atomic.Value
}

func (a *authorizer) Check(ctx context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	a.asked.Add(1)
	a.principal.Store(r.GetAttributes().GetSource().GetPrincipal())
	if a.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if !strings.HasSuffix(r.GetAttributes().GetRequest().GetHttp().GetPath(), "secret") {
		return &authv3.CheckResponse{
			Status: &status.Status{Code: int32(codes.OK)},
			HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
				Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-authorized-by", Value: "authorizer"}}},
			}},
		}, nil
	}
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden}, Body: "the authorizer denies it",
		}},
	}, nil
}

const authorizerPort = 9191

// authorizationLimit is the duration of a request to a server that hangs: its timeout of 300 ms, and time for a busy machine.
const authorizationLimit = 2 * time.Second

// requireWithin checks an observation and its duration.
func requireWithin(t *testing.T, limit time.Duration, what string, observe func() bool) {
	t.Helper()
	start := time.Now()
	if !observe() {
		t.Errorf("no %s", what)
	}
	if took := time.Since(start); took > limit {
		t.Errorf("%s takes %s, want less than %s", what, took, limit)
	}
}

func serveAuthorizer(t *testing.T, pod *pods.Pod) *authorizer {
	t.Helper()
	a := &authorizer{}
	a.principal.Store("")
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, a)
	listener := pod.NS.Listen(t, nstest.Address(pod.IP.String(), authorizerPort))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return a
}

// Policy and authorization server must both allow a request. The response to each denial is different.
func TestExternalAuthorization(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	outside := s.network.Bare(t)
	a := serveAuthorizer(t, outside)
	configure := func(change func(*catalog.ExternalAuthorization)) {
		t.Helper()
		server := s.serverScope()
		server.ExternalAuthorization = &catalog.ExternalAuthorization{Address: outside.IP.String(), Port: authorizerPort, StatPrefix: "auth", Timeout: 300 * time.Millisecond}
		change(server.ExternalAuthorization)
		server.Ingress = []scope.Ingress{{
			Policy: entity.Name{Namespace: "shop", Name: "front"}, Service: web, TargetPort: 8080, AnyRequest: true,
			Prefixes: []netip.Prefix{netip.PrefixFrom(s.stranger.IP, s.stranger.IP.BitLen())},
		}}
		s.configure(t, s.clientScope(), server)
	}
	ask := func(path string) string {
		t.Helper()
		answer := s.client.Get(t, "http://"+webIP.String()+path)
		return fmt.Sprintf("%d %s", answer.Status, answer.Body)
	}
	// Connections from before a change keep the earlier configuration until they are drained.
	expect := func(what, path, want string) {
		t.Helper()
		eventually.True(t, 10*time.Second, fmt.Sprintf("%s: %s gets %q", what, path, want), func() bool { return strings.HasPrefix(ask(path), want) })
	}
	closed := func(*catalog.ExternalAuthorization) {}
	configure(closed)
	expect("policy and server allow it", "/books/1", "200 ")
	expect("the server denies it", "/books/secret", "403 the authorizer denies it")
	if got := a.principal.Load(); got != "spiffe://cluster.local/buyer/shop" {
		t.Errorf("the server sees the client %q, want the URI name of its certificate", got)
	}
	asked := a.asked.Load()
	expect("the policy denies it", "/admin", "403 RBAC: access denied")
	if a.asked.Load() != asked {
		t.Error("the server is asked about a request that a policy denies")
	}
	if answer := s.stranger.Get(t, "http://"+s.address()+"/secret"); answer.Status != http.StatusForbidden || answer.Body != "the authorizer denies it" {
		t.Errorf("a client outside the mesh gets %d %q, want the denial of the server", answer.Status, answer.Body)
	}
	if answer := s.client.Get(t, "http://"+webIP.String()+"/books/1"); answer.Header.Get("Saw-X-Authorized-By") != "authorizer" {
		t.Error("the application does not get the header of the server")
	}

	a.hangs.Store(true)
	expect("the server hangs", "/books/1", "503 ")
	requireWithin(t, authorizationLimit, "503 of a server that hangs", func() bool { return strings.HasPrefix(ask("/books/1"), "503 ") })
	configure(func(s *catalog.ExternalAuthorization) { s.FailureModeAllow = true })
	expect("the server hangs, and failures allow", "/books/1", "200 ")
	requireWithin(t, authorizationLimit, "200 with a server that hangs", func() bool { return strings.HasPrefix(ask("/books/1"), "200 ") })
	expect("the policy still denies it", "/admin", "403 RBAC: access denied")

	configure(func(s *catalog.ExternalAuthorization) { s.Address, s.Port = "", 0 })
	expect("there is no server", "/books/1", "503 ")
	configure(func(s *catalog.ExternalAuthorization) { s.Address, s.Port, s.FailureModeAllow = "", 0, true })
	expect("there is no server, and failures allow", "/books/1", "200 ")
}
