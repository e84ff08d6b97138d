package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// Paths of the API server's OpenID Connect discovery. Every service account may read them by default.
const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/openid/v1/jwks"
)

// APIServer gets the token issuer and the signing keys from a Kubernetes API server. Its methods are a Config's
// FetchIssuer and FetchKeys.
type APIServer struct {
	client rest.Interface
}

// NewAPIServer returns an APIServer for the REST client of any API group.
func NewAPIServer(client rest.Interface) *APIServer { return &APIServer{client: client} }

// Issuer returns the issuer of the API server's service account tokens.
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

// Keys returns the public keys with which the API server signs service account tokens.
func (a *APIServer) Keys(ctx context.Context) (*jose.JSONWebKeySet, error) {
	var keys jose.JSONWebKeySet
	if err := a.get(ctx, keysPath, "application/jwk-set+json", &keys); err != nil {
		return nil, err
	}
	return &keys, nil
}

// get requests a JSON document of the given media type.
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

const (
	// OutageGrace is for how long after its end a token is accepted while the API server is unavailable: no kubelet can
	// renew it then.
	OutageGrace = 24 * time.Hour
	// recoveryGrace is for how long the grace continues after the last failure, until kubelets have renewed the tokens.
	recoveryGrace = 10 * time.Minute
	// checkInterval is when an expired token must be checked again.
	checkInterval = time.Minute
	// checkPause is the minimum interval between two requests to the API server, and checkTimeout bounds one.
	checkPause   = 10 * time.Second
	checkTimeout = 5 * time.Second
)

// outage detects that the API server is unavailable.
type outage struct {
	check func(context.Context) error
	now   func() time.Time

	mu sync.Mutex
	// tried is the time of the last check, failed that of the last failure.
	tried, failed time.Time
}

// exists reports whether the API server is unavailable, or was until recently.
func (o *outage) exists(ctx context.Context) bool {
	if o.check == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tried.IsZero() || o.now().Sub(o.tried) >= checkPause {
		// The check serves all callers, so the cancellation of one must not count as a failure.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
		defer cancel()
		o.tried = o.now()
		if o.check(ctx) != nil {
			o.failed = o.now()
		}
	}
	return !o.failed.IsZero() && o.now().Sub(o.failed) < recoveryGrace
}

// Extend returns until when a token with the given expiry may be used without another check; the zero time if it may not
// be used any more.
func (v *Verifier) Extend(ctx context.Context, expiry time.Time) time.Time {
	now := v.now()
	switch {
	case now.Before(expiry.Add(leeway)):
		return expiry
	case now.Before(expiry.Add(OutageGrace)) && v.outage.exists(ctx):
		return now.Add(checkInterval)
	}
	return time.Time{}
}

// readinessPath fails while the API server cannot read its storage. Everybody may read it by default.
const readinessPath = "/readyz"

// Check returns why the API server is not ready, or nil.
func (a *APIServer) Check(ctx context.Context) error {
	return a.client.Get().AbsPath(readinessPath).Do(ctx).Error()
}

// Anybody can present tokens with unknown keys, so their reviews are limited.
const (
	reviewsPerSecond = 5
	reviewBurst      = 20
	reviewTimeout    = 5 * time.Second
)

// Reviewed is the result of a TokenReview.
type Reviewed struct {
	Username, UID, Pod, PodUID string
}

// errNotRecognised means that the key or the issuer of a token is not one that the API server publishes. The API server may
// accept it all the same: it publishes one issuer, and can accept several.
var errNotRecognised = errors.New("not recognised")

// reviewer reviews tokens that cannot be verified offline at the API server.
type reviewer struct {
	review func(ctx context.Context, token, audience string) (Reviewed, error)
	limit  *rate.Limiter
	now    func() time.Time
}

// confirm reports whether the API server accepts a token for the objects that its claims name.
func (r *reviewer) confirm(ctx context.Context, raw, audience string, claimed Token) error {
	if r.review == nil || !r.limit.AllowN(r.now(), 1) {
		return errors.New("the API server was not asked about it")
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	got, err := r.review(ctx, raw, audience)
	if err != nil {
		return err
	}
	want := Reviewed{
		Username: subjectOf(claimed.Namespace, claimed.ServiceAccount),
		UID:      claimed.ServiceAccountUID, Pod: claimed.Pod, PodUID: string(claimed.InstanceID),
	}
	if got != want {
		return fmt.Errorf("the API server reads it as %+v, but its claims are %+v", got, want)
	}
	return nil
}

// reviewPath is where TokenReviews are created.
const reviewPath = "/apis/authentication.k8s.io/v1/tokenreviews"

// Keys of the extra fields of a TokenReview.
const (
	podNameExtra = "authentication.kubernetes.io/pod-name"
	podUIDExtra  = "authentication.kubernetes.io/pod-uid"
)

// Review returns whom a token identifies for the audience, according to the API server.
func (a *APIServer) Review(ctx context.Context, token, audience string) (Reviewed, error) {
	body, err := json.Marshal(authenticationv1.TokenReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"},
		Spec:     authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{audience}},
	})
	if err != nil {
		return Reviewed{}, err
	}
	answer, err := a.client.Post().AbsPath(reviewPath).SetHeader("Content-Type", "application/json").SetHeader("Accept",
		"application/json").Body(body).DoRaw(ctx)
	if err != nil {
		return Reviewed{}, fmt.Errorf("the API server does not review the token: %w", err)
	}
	var review authenticationv1.TokenReview
	if err := json.Unmarshal(answer, &review); err != nil {
		return Reviewed{}, fmt.Errorf("the API server's review is not readable: %w", err)
	}
	if !review.Status.Authenticated || !slices.Contains(review.Status.Audiences, audience) {
		return Reviewed{}, errors.New("the API server does not accept it")
	}
	user := review.Status.User
	return Reviewed{user.Username, user.UID, first(user.Extra[podNameExtra]), first(user.Extra[podUIDExtra])}, nil
}

func first(values authenticationv1.ExtraValue) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
