package metricsserver

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/union"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/client-go/kubernetes"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/tokenlimit"
)

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
