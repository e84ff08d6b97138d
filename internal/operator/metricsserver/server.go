package metricsserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/kubernetes"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/tokenlimit"
)

// Profile returns the limits of clients. They leave room for a few scrapers.
func Profile() httplimit.Profile {
	return httplimit.Profile{
		Limits:        httplimit.Limits{Connections: 256, ConnectionsPerAddress: 32, Requests: 8, RequestsPerAddress: 2},
		HeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeader: 32 << 10,
	}
}

// Server serves /metrics. All fields are required.
type Server struct {
	// Address is where it listens.
	Address string
	Metrics prometheus.Gatherer
	// Certificate returns the certificate for a connection.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Clients ask the API server who may read.
	Clients kubernetes.Interface
	Now     func() time.Time
	Log     logr.Logger
}

// NeedLeaderElection implements manager.LeaderElectionRunnable. Each replica serves its own metrics.
func (*Server) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (s *Server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("the metrics server cannot listen: %w", err)
	}
	return s.Serve(ctx, listener)
}

// Serve serves on a listener until ctx ends.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	protect, err := newProtection(s.Clients, s.Now, s.Log)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", protect(promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})))
	server := &http.Server{ //nolint:gosec // the profile has the timeouts
		Handler: mux, TLSConfig: &tls.Config{GetCertificate: s.Certificate, MinVersion: tls.VersionTLS12},
	}
	limited := Profile().Apply(server, listener, func() {})
	if err := httplimit.ServeTLS(ctx, server, limited, httplimit.Shutdown{}); err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// Caches and limits of decisions.
const (
	authenticatedFor = time.Minute
	allowedFor       = 5 * time.Minute
	deniedFor        = 30 * time.Second
	reviewTimeout    = 10 * time.Second
)

func backoff() *wait.Backoff {
	return &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 5}
}

// newProtection returns a function that forwards the requests of those who may get the path. Tokens have the audience of the operator's
// metrics. Tokens for the API server are accepted too, because a prometheus-operator has no others.
func newProtection(clients kubernetes.Interface, now func() time.Time, log logr.Logger) (func(http.Handler) http.Handler, error) {
	reviews := clients.AuthenticationV1()
	own, err := tokens(reviews, authenticator.Audiences{names.OperatorMetricsAudience})
	if err != nil {
		return nil, err
	}
	general, err := tokens(reviews, nil)
	if err != nil {
		return nil, err
	}
	authorization := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: clients.AuthorizationV1(), AllowCacheTTL: allowedFor, DenyCacheTTL: deniedFor, WebhookRetryBackoff: backoff(),
	}
	may, err := authorization.New()
	if err != nil {
		return nil, err
	}
	users := tokenlimit.New(union.New(own, general), now)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			user, found, err := users.AuthenticateRequest(r)
			if err != nil || !found {
				log.V(1).Info("the metrics were requested without a valid token", "error", err)
				http.Error(w, "send a valid token in the Authorization header", http.StatusUnauthorized)
				return
			}
			attributes := authorizer.AttributesRecord{User: user.User, Verb: strings.ToLower(r.Method), Path: r.URL.Path}
			decision, _, err := may.Authorize(r.Context(), attributes)
			switch {
			case err != nil:
				log.Error(err, "a reader of the metrics cannot be authorized", "user", user.User.GetName())
				http.Error(w, "the API server does not answer", http.StatusServiceUnavailable)
			case decision != authorizer.DecisionAllow:
				http.Error(w, "the user may not get "+r.URL.Path, http.StatusForbidden)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}, nil
}

// tokens authenticates tokens with any of the audiences; nil means that of the API server.
func tokens(reviews authentication.AuthenticationV1Interface, audiences authenticator.Audiences) (authenticator.Request, error) {
	config := authenticatorfactory.DelegatingAuthenticatorConfig{
		Anonymous: &apiserver.AnonymousAuthConfig{Enabled: false}, CacheTTL: authenticatedFor, WebhookRetryBackoff: backoff(),
		TokenAccessReviewClient: reviews, TokenAccessReviewTimeout: reviewTimeout, APIAudiences: audiences,
	}
	inner, _, err := config.New()
	if err != nil {
		return nil, err
	}
	return authenticator.RequestFunc(func(r *http.Request) (*authenticator.Response, bool, error) {
		if audiences != nil {
			r = r.WithContext(authenticator.WithAudiences(r.Context(), audiences))
		}
		return inner.AuthenticateRequest(r)
	}), nil
}
