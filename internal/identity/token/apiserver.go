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

// APIServer asks a Kubernetes API server for its token issuer and signing keys. Its methods are a Config's FetchIssuer and
// FetchKeys.
type APIServer struct {
	client rest.Interface
}

// NewAPIServer makes an APIServer from a REST client of any API group, for example that of a clientset's discovery client.
func NewAPIServer(client rest.Interface) *APIServer { return &APIServer{client: client} }

// Issuer is the issuer of the service account tokens that the API server makes.
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

// Keys are the public keys that the API server signs service account tokens with.
func (a *APIServer) Keys(ctx context.Context) (*jose.JSONWebKeySet, error) {
	var keys jose.JSONWebKeySet
	if err := a.get(ctx, keysPath, "application/jwk-set+json", &keys); err != nil {
		return nil, err
	}
	return &keys, nil
}

// get reads a JSON document of the given media type.
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
