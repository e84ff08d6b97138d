package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/time/rate"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

const (
	// maxTokenBytes bounds the size of parsed tokens. Tokens of the API server have about 1,200 bytes.
	maxTokenBytes = 16 << 10
	// leeway is the tolerated clock difference between the API server and this process.
	leeway = 10 * time.Second
)

// algorithms are those that Kubernetes signs service account tokens with. Unsigned tokens and shared secrets must
// never be accepted.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.ES512}

// ErrUnavailable means that a token could not be verified because the API server's keys are not known yet. The caller
// may retry; every other error is final for the token.
var ErrUnavailable = errors.New("the signing keys of the API server are not available")

// Token has the claims of a verified token.
type Token struct {
	Namespace         string
	ServiceAccount    string
	ServiceAccountUID string
	Pod               string
	InstanceID        entity.InstanceID
	// Expiry is when the token expires.
	Expiry time.Time
	// ValidUntil is until when the token may be used without another check. It is the expiry, unless the token has expired
	// and the API server is unavailable.
	ValidUntil time.Time
}

// Config configures a Verifier. All fields are required, unless documented otherwise.
type Config struct {
	// Audience must be among the token's audiences.
	Audience string
	// FetchIssuer returns the issuer of new tokens. It is called with FetchKeys.
	FetchIssuer func(context.Context) (string, error)
	// FetchKeys returns the issuer's public keys.
	FetchKeys func(context.Context) (*jose.JSONWebKeySet, error)
	// Review reviews a token with an unknown key or issuer at the API server. nil rejects such tokens.
	Review func(ctx context.Context, token, audience string) (Reviewed, error)
	// Check returns an error while the API server is unavailable. Expired tokens are then accepted for OutageGrace. nil
	// never accepts them.
	Check func(context.Context) error
	// Now is the clock.
	Now func() time.Time
}

// Verifier verifies service account tokens offline. It is safe for concurrent use.
type Verifier struct {
	audience string
	now      func() time.Time
	keys     *keyCache
	reviewer *reviewer
	outage   outage
}

// NewVerifier returns a Verifier. The first token triggers a fetch of the keys.
func NewVerifier(config Config) *Verifier {
	return &Verifier{
		audience: config.Audience,
		now:      config.Now,
		keys:     &keyCache{fetchIssuer: config.FetchIssuer, fetchKeys: config.FetchKeys, now: config.Now, fetching: make(chan struct{}, 1)},
		reviewer: &reviewer{review: config.Review, limit: rate.NewLimiter(reviewsPerSecond, reviewBurst), now: config.Now},
		outage:   outage{check: config.Check, now: config.Now},
	}
}

// claims is the payload of a service account token.
type claims struct {
	jwt.Claims
	Kubernetes struct {
		Namespace      string    `json:"namespace"`
		ServiceAccount reference `json:"serviceaccount"`
		Pod            reference `json:"pod"`
	} `json:"kubernetes.io"`
}

// reference is an object that a token is bound to.
type reference struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// Verify checks the format, algorithm, signature, issuer, audience and times of a token, and that it is bound to a
// pod. Errors never contain the token.
func (v *Verifier) Verify(ctx context.Context, raw string) (Token, error) {
	if len(raw) > maxTokenBytes {
		return Token{}, fmt.Errorf("the token has %d bytes: no service account token has more than %d", len(raw), maxTokenBytes)
	}
	parsed, err := jwt.ParseSigned(raw, algorithms)
	if err != nil {
		return Token{}, fmt.Errorf("the token is not a signed service account token: %w", err)
	}
	c, unrecognised := v.verifyOffline(ctx, parsed)
	if unrecognised != nil && !errors.Is(unrecognised, errNotRecognised) {
		return Token{}, unrecognised
	}
	validUntil, err := v.check(ctx, c)
	if err != nil {
		return Token{}, err
	}
	verified := c.token(validUntil)
	if unrecognised != nil {
		if err := v.reviewer.confirm(ctx, raw, v.audience, verified); err != nil {
			return Token{}, fmt.Errorf("%w, and %w", unrecognised, err)
		}
	}
	return verified, nil
}

// verifyOffline returns the claims of a token. The error wraps errNotRecognised if the API server may accept the token all
// the same; the claims are then not verified.
func (v *Verifier) verifyOffline(ctx context.Context, parsed *jwt.JSONWebToken) (c claims, err error) {
	header := parsed.Headers[0]
	key, err := v.keys.find(ctx, header.KeyID, header.Algorithm)
	if errors.Is(err, errNotRecognised) {
		if claimsErr := parsed.UnsafeClaimsWithoutVerification(&c); claimsErr != nil {
			return c, fmt.Errorf("the token is not a service account token: %w", claimsErr)
		}
		return c, err
	}
	if err != nil {
		return c, err
	}
	if err := parsed.Claims(key, &c); err != nil {
		return c, fmt.Errorf("the token is not signed by the API server of this cluster: %w", err)
	}
	return c, v.keys.checkIssuer(ctx, c.Issuer)
}

func (c claims) token(validUntil time.Time) Token {
	return Token{
		Namespace:         c.Kubernetes.Namespace,
		ServiceAccount:    c.Kubernetes.ServiceAccount.Name,
		ServiceAccountUID: c.Kubernetes.ServiceAccount.UID,
		Pod:               c.Kubernetes.Pod.Name,
		InstanceID:        entity.InstanceID(c.Kubernetes.Pod.UID),
		Expiry:            c.Expiry.Time(),
		ValidUntil:        validUntil,
	}
}

// check validates the claims of a token except for its issuer. It returns until when they are valid.
func (v *Verifier) check(ctx context.Context, c claims) (time.Time, error) {
	if err := v.checkClaims(c); err != nil {
		return time.Time{}, err
	}
	until := v.Extend(ctx, c.Expiry.Time())
	if until.IsZero() {
		return until, fmt.Errorf("the token expired at %s", c.Expiry.Time().UTC().Format(time.RFC3339))
	}
	return until, nil
}

// checkClaims validates all claims except for the issuer and the expiry.
func (v *Verifier) checkClaims(c claims) error {
	now := v.now()
	k := c.Kubernetes
	switch {
	case !c.Audience.Contains(v.audience):
		return fmt.Errorf("the token is for the audience %q: expected %q", c.Audience, v.audience)
	case c.Expiry == nil:
		return errors.New("the token never expires: use a projected service account token")
	case c.NotBefore != nil && now.Add(leeway).Before(c.NotBefore.Time()):
		return fmt.Errorf("the token is valid only from %s: are the clocks of this process and of the API server apart?", c.NotBefore.Time().UTC().Format(time.RFC3339))
	case k.Pod.Name == "" || k.Pod.UID == "":
		return errors.New("the token is not bound to a pod: use a projected service account token")
	case k.Namespace == "" || k.ServiceAccount.Name == "" || k.ServiceAccount.UID == "":
		return errors.New("the token names no service account")
	case c.Subject != subjectOf(k.Namespace, k.ServiceAccount.Name):
		return fmt.Errorf("the token's subject %q is not its service account %s/%s", c.Subject, k.Namespace, k.ServiceAccount.Name)
	}
	return nil
}

// subjectOf is the user name of a service account.
func subjectOf(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}
