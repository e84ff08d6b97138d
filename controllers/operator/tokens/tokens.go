package tokens

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/names"
	reports "github.com/openservicemesh/osm-operator/internal/report/client"
)

const (
	// lifetime is the requested lifetime of a token, in seconds.
	lifetime = 3600
	// margin is how long before its expiration a token is replaced.
	margin = 15 * time.Minute
)

// Source returns tokens of the operator's ServiceAccount. It is safe for concurrent use.
type Source struct {
	client    client.Client
	config    *rest.Config
	namespace string
	now       func() time.Time

	mu     sync.Mutex
	tokens map[string]authenticationv1.TokenRequestStatus
}

// New returns a Source. namespace is that of the operator.
func New(c client.Client, config *rest.Config, namespace string, now func() time.Time) *Source {
	return &Source{client: c, config: config, namespace: namespace, now: now, tokens: map[string]authenticationv1.TokenRequestStatus{}}
}

// For returns a token for a replica. One is used until shortly before it expires.
func (s *Source) For(ctx context.Context, replica reports.Replica) (string, error) {
	if replica.Audience == "" {
		return s.own()
	}
	return s.ForAudience(ctx, replica.Audience)
}

// ForAudience returns a token for an audience. One is used until shortly before it expires.
func (s *Source) ForAudience(ctx context.Context, audience string) (string, error) {
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

// Discard removes a token that a replica does not accept, such as one of a deleted ServiceAccount. The next call requests another one.
func (s *Source) Discard(replica reports.Replica, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[replica.Audience].Token == token {
		delete(s.tokens, replica.Audience)
	}
}

// own returns the token for the API server, from the file that the kubelet renews.
func (s *Source) own() (string, error) {
	if s.config.BearerTokenFile == "" {
		return s.config.BearerToken, nil
	}
	token, err := os.ReadFile(s.config.BearerTokenFile)
	return strings.TrimSpace(string(token)), err
}
