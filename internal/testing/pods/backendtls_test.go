package pods_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// encryptedPort is a port on which the outside server accepts TLS only.
const encryptedPort = 9444

// handshakes records the server names of the TLS connections to a server.
type handshakes struct {
	mu    sync.Mutex
	names []string
}

func (h *handshakes) record(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.names = append(h.names, name)
}

func (h *handshakes) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := h.names
	h.names = nil
	return names
}

// serveEncrypted answers requests over TLS, with the certificate of api.example.com from an authority.
func serveEncrypted(t *testing.T, a *abroad, authority *pki.Authority) *handshakes {
	t.Helper()
	pair, err := tls.X509KeyPair(authority.Issue(t, identity.ServiceAccount{Namespace: "example", Name: "api"}, "com"))
	if err != nil {
		t.Fatal(err)
	}
	seen := &handshakes{}
	config := &tls.Config{ClientAuth: tls.RequestClientCert, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		seen.record(hello.ServerName)
		return &pair, nil
	}}
	// Failed handshakes are under test.
	quiet := log.New(io.Discard, "", 0)
	server := &http.Server{TLSConfig: config, ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s by %s with %d certificates", r.Host, tls.VersionName(r.TLS.Version), len(r.TLS.PeerCertificates))
	})}
	t.Cleanup(func() { _ = server.Close() })
	listener := a.named.NS.Listen(t, nstest.Address(a.named.IP.String(), encryptedPort))
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return seen
}

// TestBackendTLS checks requests that an application sends in plaintext, and that its sidecar encrypts. A server with the certificate of another
// authority, or with another name, gets no request. With a policy that cannot be used, no connection is opened.
func TestBackendTLS(t *testing.T) {
	t.Parallel()
	a, authority := newAbroad(t), pki.New(t)
	seen := serveEncrypted(t, a, authority)
	server := identity.ServiceAccount{Namespace: "example", Name: "api"}
	principal := server.Principal("com")
	uri, err := server.SPIFFE("com")
	if err != nil {
		t.Fatal(err)
	}
	policy := entity.Name{Namespace: "shop", Name: "outside"}
	for name, test := range map[string]struct {
		authorities []byte
		names       []catalog.SubjectAltName
		unusable    bool
		status      int
		handshakes  []string
	}{
		"verified": {
			authorities: authority.RootPEM, names: []catalog.SubjectAltName{{Name: principal}}, status: http.StatusOK, handshakes: []string{"front.example.com"},
		},
		"verified by a URI": {
			authorities: authority.RootPEM, names: []catalog.SubjectAltName{{Name: "x.example.com"}, {IsURI: true, Name: uri.String()}},
			status: http.StatusOK, handshakes: []string{"front.example.com"},
		},
		"another authority": {authorities: pki.New(t).RootPEM, names: []catalog.SubjectAltName{{Name: principal}}, status: http.StatusServiceUnavailable},
		"another name":      {authorities: authority.RootPEM, names: []catalog.SubjectAltName{{Name: "front.example.com"}}, status: http.StatusServiceUnavailable},
		"unusable":          {unusable: true, status: http.StatusServiceUnavailable, handshakes: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scope.Scope{
				Common: scope.Common{Key: scope.Key{Identity: buyer, Class: scope.Class{IPv6: true}}, TrustDomain: trustDomain},
				Sidecar: scope.Sidecar{EgressPorts: []authz.EgressPort{{Number: encryptedPort, Hosts: []authz.EgressHost{{
					Host: "api.example.com", HTTP: true,
					BackendTLS: &authz.BackendTLS{Policy: policy, ServerName: "front.example.com", Names: test.names, Unusable: test.unusable},
				}}}}},
			}
			if !test.unusable {
				s.EgressAuthorities = []scope.EgressAuthorities{{Policy: policy, PEM: test.authorities}}
			}
			seen.take()
			a.client.SendAll(t, s, slices.Concat(envoy.Build(s), envoy.OutsideSecrets(s)))
			answer := a.client.Get(t, "http://"+nstest.Address(a.other.IP.String(), encryptedPort), "Host: api.example.com")
			if answer.Status != test.status {
				t.Errorf("the request gets %d %q, want %d", answer.Status, answer.Body, test.status)
			}
			if want := "api.example.com by TLS 1.3 with 0 certificates"; test.status == http.StatusOK && answer.Body != want {
				t.Errorf("the server answers %q, want %q", answer.Body, want)
			}
			if got := seen.take(); test.handshakes != nil && !slices.Equal(got, test.handshakes) {
				t.Errorf("the server sees handshakes with the names %q, want %q", got, test.handshakes)
			}
		})
	}
}
