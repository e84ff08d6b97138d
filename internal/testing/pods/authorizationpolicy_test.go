package pods_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
)

// The servers of the mesh (gRPC) and of the namespace (HTTP/1.1) and the policies must all allow a request.
func TestExternalAuthorizationPolicies(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	outside := s.network.Bare(t)
	a := serveAuthorizer(t, outside)
	listener := outside.NS.Listen(t, nstest.Address(outside.IP.String(), 8080))
	go func() { _ = http.Serve(listener, http.HandlerFunc(authorizeHTTP)) }()
	mesh := extauthz.Server{
		MeshWide: true,
		Policy:   &extauthz.Policy{Name: entity.Name{Namespace: "osm-system", Name: "all"}, Timeout: 300 * time.Millisecond},
		Service:  &catalog.ExtensionService{Name: entity.Name{Namespace: "osm-system", Name: "opa"}, Address: outside.IP.String(), Port: authorizerPort},
	}
	own := extauthz.Server{
		Policy: &extauthz.Policy{
			Name: entity.Name{Namespace: "shop", Name: "own"}, Timeout: 300 * time.Millisecond, PathPrefix: "/check", ResponseHeaders: []string{"x-user"},
		},
		Service: &catalog.ExtensionService{Name: entity.Name{Namespace: "shop", Name: "auth"}, Address: outside.IP.String(), Port: 8080, HTTP1: true},
	}
	configure := func(list ...extauthz.Server) {
		t.Helper()
		server := s.serverScope()
		server.Authorizations = list
		s.configure(t, s.clientScope(), server)
	}
	expect := func(what, path, want string) {
		t.Helper()
		eventually.True(t, 10*time.Second, fmt.Sprintf("%s: %s gets %q", what, path, want), func() bool {
			answer := s.client.Get(t, "http://"+webIP.String()+path)
			return strings.HasPrefix(fmt.Sprintf("%d %s", answer.Status, answer.Body), want)
		})
	}
	configure(mesh, own)
	expect("all allow it", "/books/1", "200 ")
	expect("the server of the mesh denies it", "/books/secret", "403 the authorizer denies it")
	expect("the server of the namespace denies it", "/books/private", "401 the namespace denies it")
	expect("the policy denies it", "/admin", "403 RBAC: access denied")
	answer := s.client.Get(t, "http://"+webIP.String()+"/books/1")
	if answer.Header.Get("Saw-X-User") != "reader" || answer.Header.Get("Saw-X-Other") != "" {
		t.Errorf("the application gets the headers %v, want x-user of the server only", answer.Header)
	}
	s.awaitLog(t, "server", map[string]any{"path": "/books/secret", "denied_by": "external authorization"})

	a.hangs.Store(true)
	expect("the server of the mesh hangs", "/books/1", "503 ")
	configure(own)
	expect("the policy of the mesh is gone", "/books/secret", "200 ")
	expect("the server of the namespace still denies it", "/books/private", "401 ")
	own.Service = nil
	configure(own)
	expect("there is no server", "/books/1", "503 ")
	configure()
	expect("no server is asked", "/books/private", "200 ")
}

// authorizeHTTP denies paths that end in "private". It is asked below /check.
func authorizeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-User", "reader")
	w.Header().Set("X-Other", "ignored")
	switch {
	case !strings.HasPrefix(r.URL.Path, "/check/"):
		w.WriteHeader(http.StatusInternalServerError)
	case strings.HasSuffix(r.URL.Path, "private"):
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "the namespace denies it")
	}
}
