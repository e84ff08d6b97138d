package pods_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Ports of an authorization server with TLS: one for gRPC, and one for HTTP/1.1.
const (
	secureAuthorizerPort = 9443
	secureHTTPPort       = 8443
)

// serveSecureAuthorizers runs both kinds of authorization servers with the certificate of api.example.com. The counter has the requests to that with HTTP/1.1.
func serveSecureAuthorizers(t *testing.T, pod *pods.Pod, authority *pki.Authority) (*authorizer, *atomic.Int32) {
	t.Helper()
	pair, err := tls.X509KeyPair(authority.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "api"}, "com"))
	if err != nil {
		t.Fatal(err)
	}
	a, asked := &authorizer{}, &atomic.Int32{}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(config.Clone())))
	authv3.RegisterAuthorizationServer(server, a)
	listener := pod.NS.Listen(t, nstest.Address(pod.IP.String(), secureAuthorizerPort))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	plain := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		authorizeHTTP(w, r)
	})}
	secure := pod.NS.Listen(t, nstest.Address(pod.IP.String(), secureHTTPPort))
	go func() { _ = plain.ServeTLS(secure, "", "") }()
	t.Cleanup(func() { _ = plain.Close() })
	return a, asked
}

// TestConfiguredServerWithTLS checks that sidecars ask the authorization server of the MeshConfig over TLS if the policy of its Service demands it, and do not ask one with
// the certificate of another authority.
func TestConfiguredServerWithTLS(t *testing.T) {
	t.Parallel()
	s, authority := newShop(t), pki.New(t)
	outside := s.network.Bare(t)
	server, _ := serveSecureAuthorizers(t, outside, authority)
	for _, test := range []struct {
		name, want  string
		tls         *authz.BackendTLS
		mustBeAsked bool
	}{
		{"verified", "200 ", &authz.BackendTLS{ServerName: "api.example.com", Names: []catalog.SubjectAltName{{Name: "api.example.com"}}, AuthoritiesPEM: authority.RootPEM}, true},
		{"another authority", "503 ", &authz.BackendTLS{ServerName: "api.example.com", Names: []catalog.SubjectAltName{{Name: "api.example.com"}}, AuthoritiesPEM: pki.New(t).RootPEM}, false},
		{"unusable", "503 ", &authz.BackendTLS{Unusable: true}, false},
	} {
		own := s.serverScope()
		address := catalog.Server{Host: outside.IP.String(), Port: secureAuthorizerPort}
		own.ExternalAuthorization = &catalog.ExternalAuthorization{Address: address.Host, Port: address.Port, Timeout: time.Second}
		own.HostTLS = map[string]*authz.BackendTLS{address.String(): test.tls}
		s.configure(t, s.clientScope(), own)
		ask := func() string {
			answer := s.client.Get(t, "http://"+webIP.String()+"/books/1")
			return fmt.Sprintf("%d %s", answer.Status, answer.Body)
		}
		eventually.True(t, 10*time.Second, test.name+": the request gets "+test.want, func() bool { return strings.HasPrefix(ask(), test.want) })
		before := server.asked.Load()
		if got := ask(); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: the request gets %q", test.name, got)
		}
		if asked := server.asked.Load() > before; asked != test.mustBeAsked {
			t.Errorf("%s: the server is asked: %t", test.name, asked)
		}
	}
}

// TestAuthorizationServersWithTLS checks that sidecars ask a server over TLS, and that one with the certificate of another authority, or with another name, is not
// asked. With a policy that cannot be used, sidecars do not connect.
func TestAuthorizationServersWithTLS(t *testing.T) {
	t.Parallel()
	s, authority := newShop(t), pki.New(t)
	outside := s.network.Bare(t)
	overGRPC, overHTTP := serveSecureAuthorizers(t, outside, authority)
	second := pki.New(t)
	own := entity.Name{Namespace: "shop", Name: "auth"}
	ask := func() string {
		answer := s.client.Get(t, "http://"+webIP.String()+"/books/1")
		return fmt.Sprintf("%d %s", answer.Status, answer.Body)
	}
	for _, http1 := range []bool{false, true} {
		service := &catalog.ExtensionService{Name: own, Address: outside.IP.String(), Port: secureAuthorizerPort}
		if http1 {
			service.Port, service.HTTP1 = secureHTTPPort, true
		}
		count := func() int32 { return overGRPC.asked.Load() + overHTTP.Load() }
		for _, test := range []struct {
			name        string
			tls         *authz.BackendTLS
			want        string
			mustBeAsked bool
		}{
			{"verified", &authz.BackendTLS{ServerName: "api.example.com", Names: []catalog.SubjectAltName{{Name: "api.example.com"}}, AuthoritiesPEM: authority.RootPEM}, "200 ", true},
			{"another authority", &authz.BackendTLS{ServerName: "api.example.com", Names: []catalog.SubjectAltName{{Name: "api.example.com"}}, AuthoritiesPEM: second.RootPEM}, "503 ", false},
			{"verified again", &authz.BackendTLS{ServerName: "api.example.com", Names: []catalog.SubjectAltName{{Name: "api.example.com"}}, AuthoritiesPEM: authority.RootPEM}, "200 ", true},
			{"another name", &authz.BackendTLS{ServerName: "api.example.com", Names: []catalog.SubjectAltName{{Name: "www.example.com"}}, AuthoritiesPEM: authority.RootPEM}, "503 ", false},
			{"unusable", &authz.BackendTLS{Unusable: true}, "503 ", false},
		} {
			server := s.serverScope()
			server.Authorizations = []extauthz.Server{{
				Policy:  &extauthz.Policy{Name: own, Timeout: time.Second, PathPrefix: "/check"},
				Service: service,
			}}
			server.ServerTLS = map[string]*authz.BackendTLS{own.String(): test.tls}
			s.configure(t, s.clientScope(), server)
			what := fmt.Sprintf("%s, HTTP/1.1 %t", test.name, http1)
			eventually.True(t, 10*time.Second, what+": the request gets "+test.want, func() bool { return strings.HasPrefix(ask(), test.want) })
			before := count()
			if got := ask(); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s: the request gets %q", what, got)
			}
			if asked := count() > before; asked != test.mustBeAsked {
				t.Errorf("%s: the server is asked: %t", what, asked)
			}
		}
	}
}
