package verdict

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	podstest "github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// authorizer is an authorization server. It denies requests that have a word in a header, with a status of its own.
type authorizer struct {
	authv3.UnimplementedAuthorizationServer

	port   uint16
	header string
	status typev3.StatusCode
}

// authorizers are the authorization servers. They listen on the first address outside the mesh.
var authorizers = []*authorizer{
	{port: 9195, header: "x-user", status: typev3.StatusCode_Unauthorized},
	{port: 9196, header: "x-other", status: typev3.StatusCode_PaymentRequired},
}

const (
	// deniedWord is the word that authorizers deny.
	deniedWord = "bob"
	// absentAuthorizerPort is a port without a server.
	absentAuthorizerPort = 9197
)

// Check implements authv3.AuthorizationServer.
func (a *authorizer) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	if !strings.Contains(r.GetAttributes().GetRequest().GetHttp().GetHeaders()[a.header], deniedWord) {
		return &authv3.CheckResponse{}, nil
	}
	return &authv3.CheckResponse{
		Status:       &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: a.status}}},
	}, nil
}

// denies reports whether the server denies a request.
func (a *authorizer) denies(r Request) bool {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, a.header) && strings.Contains(h.Value, deniedWord) {
			return true
		}
	}
	return false
}

// isRefusal reports whether an observation is the status of an authorization server.
func isRefusal(seen string) bool {
	return slices.ContainsFunc(authorizers, func(a *authorizer) bool { return seen == strconv.Itoa(int(a.status)) })
}

// authorizerAt returns the authorization server on a port; nil if there is none.
func authorizerAt(port uint16) *authorizer {
	i := slices.IndexFunc(authorizers, func(a *authorizer) bool { return a.port == port })
	if i < 0 {
		return nil
	}
	return authorizers[i]
}

// serveAuthorizers runs the authorization servers in a pod without a sidecar.
func serveAuthorizers(t *testing.T, pod *podstest.Pod) {
	t.Helper()
	for _, a := range authorizers {
		server := grpc.NewServer()
		authv3.RegisterAuthorizationServer(server, a)
		listener := pod.NS.Listen(t, nstest.Address(outsideAddresses[0].String(), a.port))
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(server.Stop)
	}
}
