package controlplane

import (
	"context"
	"time"

	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity/token"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// authenticator derives the identity of a sidecar from its verified token.
type authenticator struct{ verifier *token.Verifier }

func newAuthenticator(config Config, client rest.Interface) authenticator {
	server := token.NewAPIServer(client)
	return authenticator{token.NewVerifier(token.Config{
		Audience: names.TokenAudience(config.Mesh, config.Namespace), FetchIssuer: server.Issuer, FetchKeys: server.Keys,
		Review: server.Review, Check: server.Check, Now: time.Now,
	})}
}

// Authenticate verifies a token and returns the peer that it identifies.
func (a authenticator) Authenticate(ctx context.Context, raw string) (snapshot.Peer, error) {
	verified, err := a.verifier.Verify(ctx, raw)
	if err != nil {
		return snapshot.Peer{}, err
	}
	peer := snapshot.Peer{
		PodUID: verified.PodUID, ServiceAccountUID: verified.ServiceAccountUID, Expiry: verified.ValidUntil,
		ServiceAccount: identity.ServiceAccount{Namespace: verified.Namespace, Name: verified.ServiceAccount},
	}
	peer.Extend = func(ctx context.Context) time.Time { return a.verifier.Extend(ctx, verified.Expiry) }
	peer.Pod.Namespace, peer.Pod.Name = verified.Namespace, verified.Pod
	return peer, nil
}
