package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
)

// pki is a root that signs authorities, and the HTTP API of a Vault before it.
type pki struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	// edit changes an answer.
	edit func(map[string]any)
	// token is the only one that is accepted.
	token string
	// seen are the bodies of requests, by path.
	seen map[string]map[string]any
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &pki{key: key, token: "root", edit: func(map[string]any) {}, seen: map[string]map[string]any{}}
	p.root = p.sign(t, "root", key.Public(), nil)
	return p
}

func (p *pki) sign(t *testing.T, name string, public any, parent *x509.Certificate) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Minute),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, p.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve starts the API.
func (p *pki) serve(t *testing.T) *httptest.Server {
	t.Helper()
	answer := func(w http.ResponseWriter, status int, content map[string]any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(content)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&body)
		p.seen[r.URL.Path] = body
		switch {
		case r.URL.Path == "/v1/auth/k8s/login":
			answer(w, http.StatusOK, map[string]any{"auth": map[string]any{"client_token": p.token}})
		case r.Header.Get("X-Vault-Token") != p.token:
			answer(w, http.StatusForbidden, map[string]any{"errors": []string{"permission denied"}})
		default:
			block, _ := pem.Decode([]byte(body["csr"].(string)))
			request, err := x509.ParseCertificateRequest(block.Bytes)
			if err != nil {
				t.Error(err)
				return
			}
			root := encode(p.root)
			data := map[string]any{"certificate": encode(p.sign(t, "mesh", request.PublicKey, p.root)), "issuing_ca": root, "ca_chain": []string{root}}
			p.edit(data)
			answer(w, http.StatusOK, map[string]any{"data": data})
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func encode(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// sign requests an authority.
func sign(t *testing.T, p *pki, edit func(*Server)) (*certificate.Root, error) {
	t.Helper()
	listener := p.serve(t)
	server := Server{Address: listener.URL, CABundle: encode(listener.Certificate()), Mount: "pki_mesh", Token: "root"}
	edit(&server)
	request, key, err := certificate.NewRequest(certificate.KeySpec{}, "mesh osm")
	if err != nil {
		t.Fatal(err)
	}
	issued, err := Signer{}.Sign(t.Context(), server, request, "mesh osm", time.Hour)
	if err != nil {
		return nil, err
	}
	return certificate.Decode(map[string][]byte{certificate.TrustKey: issued.Roots, certificate.ChainKey: issued.Chain, certificate.SignerKey: key})
}

func TestSignedAuthorityLeadsToTheRootOfTheVault(t *testing.T) {
	p := newPKI(t)
	root, err := sign(t, p, func(*Server) {})
	if err != nil {
		t.Fatal(err)
	}
	if string(root.CertPEM()) != encode(p.root) {
		t.Errorf("the trust is\n%s\nwant the root of the Vault", root.CertPEM())
	}
	if body := p.seen["/v1/pki_mesh/root/sign-intermediate"]; body["ttl"] != "1h0m0s" || body["common_name"] != "mesh osm" {
		t.Errorf("the request is %v", body)
	}
}

func TestServiceAccountAuthenticates(t *testing.T) {
	p := newPKI(t)
	p.token = "issued by login"
	if _, err := sign(t, p, func(s *Server) { s.Token, s.Role, s.AuthMount, s.JWT = "", "mesh", "k8s", "jwt of the operator" }); err != nil {
		t.Fatal(err)
	}
	if body := p.seen["/v1/auth/k8s/login"]; body["role"] != "mesh" || body["jwt"] != "jwt of the operator" {
		t.Errorf("the login is %v", body)
	}
}

// The environment of the operator must not decide which Vault is used, and with which token.
func TestEnvironmentDoesNotApply(t *testing.T) {
	t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
	t.Setenv("VAULT_TOKEN", "root")
	t.Setenv("VAULT_SKIP_VERIFY", "true")
	if _, err := sign(t, newPKI(t), func(s *Server) { s.Token = "another" }); err == nil || !strings.Contains(err.Error(), "status 403: permission denied") {
		t.Errorf("the error with a rejected token is %v", err)
	}
}

// The image of the operator has no authorities of the system.
func TestUnknownServer(t *testing.T) {
	p := newPKI(t)
	for bundle, want := range map[string]string{"": "set spec.certificates.vault.caBundle", encode(p.root): "not of an authority in spec.certificates.vault.caBundle"} {
		if _, err := sign(t, p, func(s *Server) { s.CABundle = bundle }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error of an unknown server is %v, want %q", err, want)
		}
	}
}

func TestUnusableAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(map[string]any)
		want string
	}{
		"no certificate": {func(d map[string]any) { delete(d, "certificate") }, "has no certificate"},
		"no root":        {func(d map[string]any) { d["issuing_ca"], d["ca_chain"] = d["certificate"], nil }, "publishes no root"},
		"not PEM":        {func(d map[string]any) { d["issuing_ca"] = "damaged" }, "not readable"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPKI(t)
			p.edit = test.edit
			if _, err := sign(t, p, func(*Server) {}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want %q", err, test.want)
			}
		})
	}
}

func TestAnswersThatAreNotOfAVault(t *testing.T) {
	for name, test := range map[string]struct {
		status   int
		text     string
		want     string
		isAbsent bool
	}{
		"errors":   {status: 400, text: `{"errors": ["no role", "no mount"]}`, want: "status 400: no role; no mount"},
		"a proxy":  {status: 502, text: "bad gateway", want: "status 502: bad gateway"},
		"no JSON":  {status: 200, text: "hello", want: "invalid character 'h' looking for beginning of value"},
		"no bytes": {status: 204, isAbsent: true},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := decode(test.status, []byte(test.text))
			if test.want != "" && (err == nil || err.Error() != test.want) || test.isAbsent && (answer != nil || err != nil) {
				t.Errorf("the answer is %v, %v, want the error %q", answer, err, test.want)
			}
		})
	}
}

// A standby of a Vault redirects to the active one. Neither the token nor the request leaves the encryption, or goes on without end.
func TestRedirects(t *testing.T) {
	p := newPKI(t)
	active, plain := p.serve(t), httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrives without encryption") }))
	defer plain.Close()
	for name, test := range map[string]struct{ to, want string }{
		"the active one":     {active.URL, ""},
		"without encryption": {plain.URL, "has redirected to " + plain.URL + ", which has no encryption"},
		"itself":             {"", "has redirected more than once"},
	} {
		standby := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, test.to+r.URL.Path, http.StatusTemporaryRedirect)
		}))
		_, err := sign(t, p, func(s *Server) { s.Address, s.CABundle = standby.URL, encode(standby.Certificate()) })
		standby.Close()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("a redirect to %s: the error is %v, want %q", name, err, test.want)
		}
	}
}
