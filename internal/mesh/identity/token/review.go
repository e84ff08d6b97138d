package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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

func newReviewer(review func(context.Context, string, string) (Reviewed, error), now func() time.Time) *reviewer {
	return &reviewer{review: review, limit: rate.NewLimiter(reviewsPerSecond, reviewBurst), now: now}
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
		UID:      claimed.ServiceAccountUID, Pod: claimed.Pod, PodUID: claimed.PodUID,
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
	answer, err := a.client.Post().AbsPath(reviewPath).SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(body).DoRaw(ctx)
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
