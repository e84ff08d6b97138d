package xds

import (
	"context"
	"errors"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/controlplane/token"
)

// Peer is the authenticated client of a stream.
type Peer = snapshot.Peer

// Authenticator verifies tokens. It is safe for concurrent use.
type Authenticator interface {
	// Authenticate returns the claims of a token, or why it is not accepted. It verifies only the token; the Store checks that the
	// pod is live.
	Authenticate(ctx context.Context, token string) (Peer, error)
}

// maxTokenBytes limits tokens. Service account tokens have about 1.5 KB.
const maxTokenBytes = 8 << 10

// authenticate returns the peer of a request. The reason of a rejection is counted and logged. The client gets no details.
func (s *Server) authenticate(ctx context.Context) (Peer, error) {
	raw, err := bearerToken(ctx)
	if err == nil {
		var peer Peer
		if peer, err = s.config.Authenticator.Authenticate(ctx, raw); err == nil {
			return peer, nil
		}
	}
	if errors.Is(err, token.ErrUnavailable) {
		s.metrics.rejected.WithLabelValues("not-ready").Inc()
		return Peer{}, status.Error(codes.Unavailable, "service account tokens cannot be verified yet; try again")
	}
	s.metrics.rejected.WithLabelValues("token").Inc()
	s.log.info("Rejected a connection", "reason", err.Error())
	return Peer{}, status.Error(codes.Unauthenticated, "the service account token is missing or not accepted")
}

// bearerToken returns the token of the only authorization header. The scheme is optional, because Envoy sends the content of the
// token file unchanged.
func bearerToken(ctx context.Context) (string, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("authorization")
	if len(values) != 1 {
		return "", errors.New("the request must have exactly one authorization header")
	}
	raw := strings.TrimSpace(values[0])
	if scheme, rest, ok := strings.Cut(raw, " "); ok && strings.EqualFold(scheme, "bearer") {
		raw = strings.TrimSpace(rest)
	}
	if raw == "" || len(raw) > maxTokenBytes {
		return "", errors.New("the token is empty or too long")
	}
	return raw, nil
}

// isNodeMismatch reports whether a node ID, "<uuid>.sidecar.<service account>.<namespace>.<trust domain>", names another workload
// than the token. The ID is used for nothing else.
func isNodeMismatch(node *core.Node, peer Peer) bool {
	if node.GetId() == "" {
		return false
	}
	_, workload, found := strings.Cut(node.GetId(), ".sidecar.")
	expected := peer.ServiceAccount.Name + "." + peer.ServiceAccount.Namespace + "."
	return !found || !strings.HasPrefix(workload+".", expected)
}
