package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// Limits of the requests that unauthenticated clients can cause to the API server.
const (
	// maxToken is the maximum size of a token in bytes.
	maxToken = 16 << 10
	// decisionTTL is how long a decision is cached.
	decisionTTL = 10 * time.Second
	// maxDecisions is the maximum number of cached decisions.
	maxDecisions = 1024
	// maxReviews is the maximum number of concurrent reviews of unknown tokens, and of tokens that were accepted before. Further
	// requests wait.
	maxReviews = 4
	// knownTTL is how long a token counts as accepted before. Tokens of the operator and of replicas last an hour.
	knownTTL = time.Hour
	// maxKnown is the maximum number of tokens that were accepted before.
	maxKnown = 1024
	// timeout limits the wait for the API server.
	timeout = 5 * time.Second
)

// Errors of rejected requests.
var (
	errNoToken   = errors.New("send a bearer token of the cluster in the Authorization header")
	errUnknown   = errors.New("invalid token: it needs the audience of this report API, which the annotation " + names.ReportAudienceAnnotation + " of this pod has")
	errForbidden = errors.New(`the token's user may not read the report: it needs the verb "get" on the non-resource URL ` + report.Root)
)

// Access authorizes readers of the report with the API server. It is safe for concurrent use.
type Access struct {
	// audience is what tokens must have.
	audience string
	now      func() time.Time

	// unknown and known are the budgets of reviews. A flood of invalid tokens does not delay those that were accepted before.
	unknown, known budget

	mu      sync.Mutex
	answers map[[sha256.Size]byte]decision
	// accepted has until when a token counts as accepted before.
	accepted map[[sha256.Size]byte]time.Time
}

// budget limits reviews. Its clients have a rate limit of their own, because unauthenticated clients cause their requests.
type budget struct {
	clients kubernetes.Interface
	reviews chan struct{}
}

func newBudget(clients kubernetes.Interface) budget {
	return budget{clients: clients, reviews: make(chan struct{}, maxReviews)}
}

// decision is a cached decision. A nil err grants access.
type decision struct {
	err   error
	until time.Time
}

// AccessConfig configures an Access. All fields are required.
type AccessConfig struct {
	// Mesh is the name of the mesh, which determines the audience of tokens.
	Mesh string
	// Unknown reviews tokens of anybody, Known those that were accepted before. Each needs its own rate limit.
	Unknown, Known kubernetes.Interface
	Now            func() time.Time
}

// NewAccess returns an Access to the report of a mesh.
func NewAccess(config AccessConfig) *Access {
	return &Access{
		audience: names.ReportAudience(config.Mesh), now: config.Now,
		unknown: newBudget(config.Unknown), known: newBudget(config.Known),
		answers: map[[sha256.Size]byte]decision{}, accepted: map[[sha256.Size]byte]time.Time{},
	}
}

// protect only forwards requests whose token may read the report.
func (a *Access) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch err := a.check(r); {
		case err == nil:
			next.ServeHTTP(w, r)
		case errors.Is(err, errNoToken), errors.Is(err, errUnknown):
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeError(w, http.StatusUnauthorized, err)
		case errors.Is(err, errForbidden):
			writeError(w, http.StatusForbidden, err)
		default:
			writeError(w, http.StatusServiceUnavailable, fmt.Errorf("authorize the request with the API server: %w", err))
		}
	})
}

func (a *Access) check(r *http.Request) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" || len(token) > maxToken {
		return errNoToken
	}
	key := sha256.Sum256([]byte(token))
	if known, ok := a.cached(key); ok {
		return known.err
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	budget := a.budgetOf(key)
	select {
	case budget.reviews <- struct{}{}:
		defer func() { <-budget.reviews }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := a.review(ctx, budget.clients, token)
	if err == nil || errors.Is(err, errUnknown) || errors.Is(err, errForbidden) {
		a.cache(key, err)
	}
	return err
}

// review authenticates the token and authorizes its user with the API server.
func (a *Access) review(ctx context.Context, clients kubernetes.Interface, token string) error {
	user, err := a.authenticate(ctx, clients, token)
	if err != nil {
		return err
	}
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for key, value := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(value)
	}
	may, err := clients.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: report.Root, Verb: "get"},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	if !may.Status.Allowed {
		return errForbidden
	}
	return nil
}

// authenticate returns the user of a token. A token for the API server would be dangerous in the hands of this process, so nobody may send one.
func (a *Access) authenticate(ctx context.Context, clients kubernetes.Interface, token string) (authenticationv1.UserInfo, error) {
	review, err := clients.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{a.audience}},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return authenticationv1.UserInfo{}, err
	case !review.Status.Authenticated:
		return authenticationv1.UserInfo{}, errUnknown
	case !slices.Contains(review.Status.Audiences, a.audience):
		// An API server without support for audiences reports none.
		return authenticationv1.UserInfo{}, errUnknown
	}
	return review.Status.User, nil
}

func (a *Access) cached(key [sha256.Size]byte) (decision, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, ok := a.answers[key]
	return d, ok && a.now().Before(d.until)
}

// cache records a decision. The caller does not hold mu.
func (a *Access) cache(key [sha256.Size]byte, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.answers) >= maxDecisions {
		clear(a.answers)
	}
	now := a.now()
	a.answers[key] = decision{err, now.Add(decisionTTL)}
	if err != nil {
		delete(a.accepted, key)
		return
	}
	if len(a.accepted) >= maxKnown {
		maps.DeleteFunc(a.accepted, func(_ [sha256.Size]byte, until time.Time) bool { return !now.Before(until) })
	}
	if _, known := a.accepted[key]; known || len(a.accepted) < maxKnown {
		a.accepted[key] = now.Add(knownTTL)
	}
}

// budgetOf returns the budget of a token.
func (a *Access) budgetOf(key [sha256.Size]byte) budget {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now().Before(a.accepted[key]) {
		return a.known
	}
	return a.unknown
}
