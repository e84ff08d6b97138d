package xds

import (
	"context"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/identity/token"
)

// Tokens authenticates by the service account tokens that Kubernetes issues to pods.
type Tokens struct{ verifier *token.Verifier }

// NewTokens makes an Authenticator.
func NewTokens(verifier *token.Verifier) *Tokens { return &Tokens{verifier} }

// Authenticate implements Authenticator. An error that is token.ErrUnavailable is no verdict.
func (t *Tokens) Authenticate(ctx context.Context, raw string) (Peer, error) {
	verified, err := t.verifier.Verify(ctx, raw)
	if err != nil {
		return Peer{}, err
	}
	return Peer{
		Pod:               catalog.Name{Namespace: verified.Namespace, Name: verified.Pod},
		PodUID:            verified.PodUID,
		ServiceAccount:    identity.ServiceAccount{Namespace: verified.Namespace, Name: verified.ServiceAccount},
		ServiceAccountUID: verified.ServiceAccountUID,
		Expiry:            verified.Expiry,
	}, nil
}
