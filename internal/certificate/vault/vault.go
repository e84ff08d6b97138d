package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
)

const (
	// timeout limits each request to a Vault.
	timeout = 10 * time.Second
	// maxAnswer is the size of the longest answer that is read, in bytes.
	maxAnswer = 1 << 20
)

// Server is a Vault, and how to authenticate at it. Exactly one of Token and Role is set.
type Server struct {
	// Address is a URL, such as https://vault.vault:8200.
	Address string
	// CABundle has the certificates (PEM) that verify it. Without any, those of the system are used.
	CABundle string
	// Mount is the path of the PKI.
	Mount string
	// Token is a token of the Vault.
	Token string
	// Role is a role of the Kubernetes authentication at AuthMount, and JWT the token of a service account.
	Role, AuthMount, JWT string
}

// Issued is an intermediate authority without its key.
type Issued struct {
	// Chain has the issued certificate first.
	Chain []byte
	// Roots are the self-signed certificates to which the chain leads.
	Roots []byte
}

// Signer signs authorities by requests to a Vault.
type Signer struct{}

// Sign has a certificate signing request for an intermediate authority signed.
func (Signer) Sign(ctx context.Context, server Server, request []byte, commonName string, lifetime time.Duration) (Issued, error) {
	transport, err := newTransport(server)
	if err != nil {
		return Issued{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*timeout)
	defer cancel()
	client := &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: checkRedirect}
	if server.Role != "" {
		if server.Token, err = login(ctx, client, server); err != nil {
			return Issued{}, err
		}
	}
	path := server.Mount + "/root/sign-intermediate"
	answer, err := write(ctx, client, server, path, map[string]any{
		"csr": string(request), "common_name": commonName, "ttl": lifetime.String(), "format": "pem", "max_path_length": 0,
	})
	if err != nil {
		return Issued{}, fmt.Errorf("the Vault at %s has not signed the certificate authority: %w", server.Address, describe(err, server))
	}
	if answer == nil {
		return Issued{}, fmt.Errorf("the Vault at %s has answered %s without content: is a PKI mounted there?", server.Address, path)
	}
	return parse(answer.Data)
}

// newTransport returns a transport that trusts the authorities of the server.
func newTransport(server Server) (*http.Transport, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	if server.CABundle != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(server.CABundle)) {
			return nil, errors.New("spec.certificates.vault.caBundle has no readable certificate: write certificates as PEM")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return transport, nil
}

// checkRedirect follows the redirect of a standby to the active server, once. The header with the token goes there too, so it must be encrypted.
func checkRedirect(next *http.Request, via []*http.Request) error {
	switch first := via[0]; {
	case len(via) > 1:
		return errors.New("it has redirected more than once")
	case first.URL.Scheme == "https" && next.URL.Scheme != "https":
		return fmt.Errorf("it has redirected to %s://%s, which has no encryption", next.URL.Scheme, next.URL.Host)
	}
	return nil
}

// login exchanges the token of a service account for one of the Vault.
func login(ctx context.Context, client *http.Client, server Server) (string, error) {
	answer, err := write(ctx, client, server, "auth/"+server.AuthMount+"/login", map[string]any{"role": server.Role, "jwt": server.JWT})
	if err != nil {
		return "", fmt.Errorf("the Vault at %s has rejected the login of role %s: %w", server.Address, server.Role, describe(err, server))
	}
	if answer == nil || answer.Auth == nil {
		return "", fmt.Errorf("the Vault at %s has answered the login of role %s without a token", server.Address, server.Role)
	}
	return answer.Auth.Token, nil
}

// reply is what this package reads of an answer.
type reply struct {
	Auth *struct {
		Token string `json:"client_token"`
	} `json:"auth"`
	Data   map[string]any `json:"data"`
	Errors []string       `json:"errors"`
}

// write sends one request and returns its answer, nil when that is empty. It does not retry: the caller does.
func write(ctx context.Context, client *http.Client, server Server, path string, content map[string]any) (*reply, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, server.Address+"/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	// A Vault may demand X-Vault-Request, as a protection from forged requests.
	request.Header.Set("X-Vault-Request", "true")
	if server.Token != "" {
		request.Header.Set("X-Vault-Token", server.Token)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return decode(response.StatusCode, text)
}

// decode reads the text of an answer.
func decode(status int, text []byte) (*reply, error) {
	answer := &reply{}
	err := json.Unmarshal(text, answer)
	if status < http.StatusOK || status >= http.StatusBadRequest {
		if err != nil {
			answer.Errors = []string{string(text)}
		}
		return nil, fmt.Errorf("status %d: %s", status, strings.Join(answer.Errors, "; "))
	}
	if len(text) == 0 {
		return nil, nil
	}
	return answer, err
}

// describe adds the remedy to the error of a Vault whose certificate is not trusted.
func describe(err error, server Server) error {
	var unknown x509.UnknownAuthorityError
	var without x509.SystemRootsError
	switch {
	case server.CABundle == "" && (errors.As(err, &unknown) || errors.As(err, &without)):
		return fmt.Errorf("its certificate is not of an authority that the operator trusts: set spec.certificates.vault.caBundle of the Mesh to that authority: %w", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("its certificate is not of an authority in spec.certificates.vault.caBundle: correct the field: %w", err)
	}
	return err
}

// parse reads the answer of sign-intermediate.
func parse(data map[string]any) (Issued, error) {
	var texts []string
	for _, key := range []string{"certificate", "issuing_ca"} {
		text, ok := data[key].(string)
		if !ok || text == "" {
			return Issued{}, fmt.Errorf("the answer of the Vault has no %s", key)
		}
		texts = append(texts, text)
	}
	chain, _ := data["ca_chain"].([]any)
	for _, entry := range chain {
		if text, ok := entry.(string); ok && text != "" {
			texts = append(texts, text)
		}
	}
	issued, roots, err := certificate.SplitChain(texts...)
	if err != nil {
		return Issued{}, fmt.Errorf("the answer of the Vault is not readable: %w", err)
	}
	if len(roots) == 0 {
		return Issued{}, errors.New("the Vault publishes no root: import the certificate of the root as an issuer of the PKI, so that its chain is complete")
	}
	return Issued{Chain: issued, Roots: roots}, nil
}
