package tokens

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// lifetime is the requested lifetime of a token, in seconds.
	lifetime = 3600
	// margin is how long before its expiration a token is replaced.
	margin = 15 * time.Minute
)

// errNoAudience means that the caller named no audience.
var errNoAudience = errors.New("a token without audience would be for the API server")

// Source returns tokens of the operator's ServiceAccount. It is safe for concurrent use.
type Source struct {
	client    client.Client
	namespace string
	now       func() time.Time

	mu     sync.Mutex
	tokens map[string]authenticationv1.TokenRequestStatus
}

// New returns a Source. namespace is that of the operator.
func New(c client.Client, namespace string, now func() time.Time) *Source {
	return &Source{client: c, namespace: namespace, now: now, tokens: map[string]authenticationv1.TokenRequestStatus{}}
}

// ForAudience returns a token for an audience, which is not that of the API server. One is used until shortly before it expires.
func (s *Source) ForAudience(ctx context.Context, audience string) (string, error) {
	if audience == "" {
		// A request without audiences yields a token for the API server.
		return "", errNoAudience
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.tokens[audience]; known.ExpirationTimestamp.After(s.now().Add(margin)) {
		return known.Token, nil
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences: []string{audience}, ExpirationSeconds: ptr.To[int64](lifetime),
	}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: names.Operator}}
	if err := s.client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("request a token of ServiceAccount %s/%s: %w", s.namespace, names.Operator, err)
	}
	s.tokens[audience] = request.Status
	return request.Status.Token, nil
}

// Discard removes a token that a server does not accept, such as one of a deleted ServiceAccount. The next call requests another one.
func (s *Source) Discard(audience, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[audience].Token == token {
		delete(s.tokens, audience)
	}
}
