package tokenlimit

import (
	"context"
	"crypto/sha256"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apiserver/pkg/authentication/authenticator"
)

const (
	// maxToken is the maximum size of the Authorization header in bytes.
	maxToken = 16 << 10
	// deniedFor is how long an invalid token is remembered.
	deniedFor = 10 * time.Second
	// freshFor is how long the inner authenticator answers from its cache at least.
	freshFor = 5 * time.Second
	// knownFor is how long a token counts as accepted before.
	knownFor = time.Hour
	// maxRemembered is the maximum number of invalid tokens that are remembered, and of accepted ones.
	maxRemembered = 1024
	// reviewsPerSecond limits reviews of unknown tokens, and as many of tokens that were accepted before. Some of them can be at once.
	reviewsPerSecond, burst = 10, 20
	// concurrent is the maximum number of reviews at the same time, of each of both.
	concurrent = 4
	// timeout limits the wait for a review.
	timeout = 5 * time.Second
)

// tokenKey identifies the token of a request.
type tokenKey [sha256.Size]byte

// limited is an authenticator with limits. It is safe for concurrent use.
type limited struct {
	inner          authenticator.Request
	now            func() time.Time
	unknown, known *budget

	mu sync.Mutex
	// denied and accepted have when the inner authenticator has last rejected and accepted a token.
	denied, accepted map[tokenKey]time.Time
}

// New returns an authenticator with limits. inner caches accepted tokens for at least 5 seconds. Requests without a token, such as those with
// a client certificate, have no limits, because no review is necessary.
func New(inner authenticator.Request, now func() time.Time) authenticator.Request {
	return &limited{
		inner: inner, now: now, unknown: newBudget(), known: newBudget(),
		denied: map[tokenKey]time.Time{}, accepted: map[tokenKey]time.Time{},
	}
}

// AuthenticateRequest implements authenticator.Request.
func (l *limited) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	header := r.Header.Get("Authorization")
	if strings.TrimSpace(header) == "" {
		return l.inner.AuthenticateRequest(r)
	}
	key := tokenKey(sha256.Sum256([]byte(header)))
	if len(header) > maxToken || l.isDenied(key) {
		return nil, false, nil
	}
	release, err := l.acquire(r.Context(), key)
	if err != nil {
		return nil, false, err
	}
	defer release()
	user, valid, err := l.inner.AuthenticateRequest(r)
	l.record(key, valid, err)
	return user, valid, err
}

func (l *limited) isDenied(key tokenKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, found := l.denied[key]
	return found && l.now().Before(at.Add(deniedFor))
}

// acquire waits until a token may be reviewed. The caller calls release afterwards.
func (l *limited) acquire(ctx context.Context, key tokenKey) (release func(), err error) {
	l.mu.Lock()
	at, found := l.accepted[key]
	age := l.now().Sub(at)
	l.mu.Unlock()
	switch {
	case found && age < freshFor:
		return func() {}, nil
	case found && age < knownFor:
		return l.known.acquire(ctx)
	default:
		return l.unknown.acquire(ctx)
	}
}

// record remembers an answer. An error may mean an invalid token or an API server that is away, so it denies only unknown tokens.
func (l *limited) record(key tokenKey, valid bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.accepted[key]
	switch {
	case err == nil && valid:
		remember(l.accepted, key, l.now(), knownFor)
	case err == nil || !known:
		delete(l.accepted, key)
		remember(l.denied, key, l.now(), deniedFor)
	}
}

// remember adds a token unless there are too many.
func remember(tokens map[tokenKey]time.Time, key tokenKey, now time.Time, ttl time.Duration) {
	if len(tokens) >= maxRemembered {
		maps.DeleteFunc(tokens, func(_ tokenKey, at time.Time) bool { return !now.Before(at.Add(ttl)) })
	}
	if _, found := tokens[key]; found || len(tokens) < maxRemembered {
		tokens[key] = now
	}
}

// budget limits reviews in rate and number.
type budget struct {
	rate  *rate.Limiter
	slots chan struct{}
}

func newBudget() *budget {
	return &budget{rate: rate.NewLimiter(reviewsPerSecond, burst), slots: make(chan struct{}, concurrent)}
}

// acquire waits until a review may begin.
func (b *budget) acquire(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case b.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := b.rate.Wait(ctx); err != nil {
		<-b.slots
		return nil, err
	}
	return func() { <-b.slots }, nil
}
