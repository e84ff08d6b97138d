package token

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"k8s.io/client-go/rest"
)

// Paths of the API server's OpenID Connect discovery. Every service account may read them by default.
const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/openid/v1/jwks"
)

// APIServer gets the token issuer and the signing keys from a Kubernetes API server. Its methods are a Config's
// FetchIssuer and FetchKeys.
type APIServer struct {
	client rest.Interface
}

// NewAPIServer returns an APIServer for the REST client of any API group.
func NewAPIServer(client rest.Interface) *APIServer { return &APIServer{client: client} }

// Issuer returns the issuer of the API server's service account tokens.
func (a *APIServer) Issuer(ctx context.Context) (string, error) {
	var configuration struct {
		Issuer string `json:"issuer"`
	}
	if err := a.get(ctx, configurationPath, "application/json", &configuration); err != nil {
		return "", err
	}
	if configuration.Issuer == "" {
		return "", fmt.Errorf("the API server names no issuer at %s", configurationPath)
	}
	return configuration.Issuer, nil
}

// Keys returns the public keys with which the API server signs service account tokens.
func (a *APIServer) Keys(ctx context.Context) (*jose.JSONWebKeySet, error) {
	var keys jose.JSONWebKeySet
	if err := a.get(ctx, keysPath, "application/jwk-set+json", &keys); err != nil {
		return nil, err
	}
	return &keys, nil
}

// get requests a JSON document of the given media type.
func (a *APIServer) get(ctx context.Context, path, accept string, into any) error {
	body, err := a.client.Get().AbsPath(path).SetHeader("Accept", accept).DoRaw(ctx)
	if err != nil {
		return fmt.Errorf("the API server does not answer at %s: %w", path, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the API server's answer at %s is not readable: %w", path, err)
	}
	return nil
}
