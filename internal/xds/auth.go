package xds

import (
	"context"
	"errors"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/identity/token"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

// Peer is who connects.
type Peer = snapshot.Peer

// Authenticator verifies tokens. It is safe for concurrent use.
type Authenticator interface {
	// Authenticate says whose token it is, or why it is not accepted. It decides by the token alone; whether the pod is live
	// is asked of the Store.
	Authenticate(ctx context.Context, token string) (Peer, error)
}

// maxToken is the size in bytes of the largest token that is looked at; service account tokens have about 1.5 KB.
const maxToken = 8 << 10

// authenticate is the peer of a request's token. The reason of a refusal is counted and logged, and not told to the other
// end in more words than it needs.
func (s *Server) authenticate(ctx context.Context) (Peer, error) {
	raw, err := bearer(ctx)
	if err == nil {
		var peer Peer
		if peer, err = s.config.Authenticator.Authenticate(ctx, raw); err == nil {
			return peer, nil
		}
	}
	if errors.Is(err, token.ErrUnavailable) {
		s.metrics.refused.WithLabelValues("not-ready").Inc()
		return Peer{}, status.Error(codes.Unavailable, "service account tokens cannot be judged yet; try again")
	}
	s.metrics.refused.WithLabelValues("token").Inc()
	s.refusals.log("a connection was refused", "reason", err.Error())
	return Peer{}, status.Error(codes.Unauthenticated, "the service account token is missing or not accepted")
}

// bearer is the token in the request's one authorization header, with or without the scheme: Envoy sends the token's file
// as it is.
func bearer(ctx context.Context) (string, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) != 1 {
		return "", errors.New("the request has no authorization header, or several")
	}
	raw := strings.TrimSpace(values[0])
	if scheme, rest, ok := strings.Cut(raw, " "); ok && strings.EqualFold(scheme, "bearer") {
		raw = strings.TrimSpace(rest)
	}
	if raw == "" || len(raw) > maxToken {
		return "", errors.New("the token is empty or too long")
	}
	return raw, nil
}

// claimsAnother says whether a node's id, "<uuid>.sidecar.<service account>.<namespace>.<trust domain>", names another
// workload than the token does. Nothing depends on the id but this.
func claimsAnother(node *core.Node, peer Peer) bool {
	if node.GetId() == "" {
		return false
	}
	_, workload, found := strings.Cut(node.GetId(), ".sidecar.")
	expected := peer.ServiceAccount.Name + "." + peer.ServiceAccount.Namespace + "."
	return !found || !strings.HasPrefix(workload+".", expected)
}
