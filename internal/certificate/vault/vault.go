package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/openservicemesh/osm-operator/internal/certificate"
)

// timeout limits each request to a Vault.
const timeout = 10 * time.Second

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
	client, err := newClient(server)
	if err != nil {
		return Issued{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*timeout)
	defer cancel()
	if server.Role != "" {
		if err := login(ctx, client, server); err != nil {
			return Issued{}, err
		}
	}
	path := server.Mount + "/root/sign-intermediate"
	answer, err := client.Logical().WriteWithContext(ctx, path, map[string]any{
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

// newClient returns a client without retries: the caller retries.
func newClient(server Server) (*api.Client, error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	if server.CABundle != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(server.CABundle)) {
			return nil, errors.New("spec.certificates.vault.caBundle has no readable certificate: write certificates as PEM")
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	client, err := api.NewClient(&api.Config{Address: server.Address, HttpClient: &http.Client{Transport: transport, Timeout: timeout}})
	if err != nil {
		return nil, fmt.Errorf("the Vault at %s cannot be used: %w", server.Address, err)
	}
	// Variables of the environment do not apply.
	client.SetMaxRetries(0)
	client.SetToken(server.Token)
	client.SetNamespace("")
	return client, nil
}

// login exchanges the token of a service account for one of the Vault.
func login(ctx context.Context, client *api.Client, server Server) error {
	answer, err := client.Logical().WriteWithContext(ctx, "auth/"+server.AuthMount+"/login", map[string]any{"role": server.Role, "jwt": server.JWT})
	if err != nil {
		return fmt.Errorf("the Vault at %s has rejected the login of role %s: %w", server.Address, server.Role, describe(err, server))
	}
	if answer == nil || answer.Auth == nil {
		return fmt.Errorf("the Vault at %s has answered the login of role %s without a token", server.Address, server.Role)
	}
	client.SetToken(answer.Auth.ClientToken)
	return nil
}

// describe shortens the error of an answer to its status and its texts.
func describe(err error, server Server) error {
	var response *api.ResponseError
	if errors.As(err, &response) {
		return fmt.Errorf("status %d: %s", response.StatusCode, strings.Join(response.Errors, "; "))
	}
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
