package token

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// fetchPause is the minimum interval between two fetches.
	fetchPause = 10 * time.Second
	// fetchTimeout bounds one fetch.
	fetchTimeout = 5 * time.Second
	// maxAge is the age after which keys are fetched again although they are known, so that a withdrawn key does not
	// stay valid.
	maxAge = 10 * time.Minute
	// issuerGrace is for how long an earlier issuer is accepted. It is longer than the life of its tokens.
	issuerGrace = 24 * time.Hour
)

// keyCache holds the API server's keys. It keeps them while the API server is unavailable.
type keyCache struct {
	fetchIssuer func(context.Context) (string, error)
	fetchKeys   func(context.Context) (*jose.JSONWebKeySet, error)
	now         func() time.Time
	// fetching has capacity 1: the caller that fetches holds its slot.
	fetching chan struct{}

	mu sync.Mutex
	// issuers and keys are unset until the first successful fetch. issuers has the last fetch that returned each issuer.
	issuers map[string]time.Time
	keys    map[string]jose.JSONWebKey
	fetched time.Time
	tried   time.Time
	failure error
}

// find returns the public key with the given ID, usable with the algorithm. It fetches when the key is unknown or the keys
// are old, at most every fetchPause.
func (c *keyCache) find(ctx context.Context, id, algorithm string) (any, error) {
	key, known, fresh := c.lookup(id)
	switch {
	case known && fresh:
	case known:
		select {
		case c.fetching <- struct{}{}:
			c.refresh(ctx)
			<-c.fetching
		default: // another caller fetches; use the cached key
		}
		key, known, _ = c.lookup(id)
	default:
		select {
		case c.fetching <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
		if key, known, _ = c.lookup(id); !known {
			c.refresh(ctx)
			key, known, _ = c.lookup(id)
		}
		<-c.fetching
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.keys == nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, c.failure)
	case !known:
		return nil, fmt.Errorf("the token is signed with the key %.64q, which is %w as one of the API server of this cluster", id, errNotRecognised)
	case key.Algorithm != "" && key.Algorithm != algorithm:
		return nil, fmt.Errorf("the token is signed with %.16q, but its key is for %s", algorithm, key.Algorithm)
	}
	return key.Key, nil
}

// checkIssuer returns an error unless the API server has issued tokens as the issuer recently. It fetches for an unknown
// issuer, at most every fetchPause.
func (c *keyCache) checkIssuer(ctx context.Context, issuer string) error {
	if c.isIssuer(issuer) {
		return nil
	}
	select {
	case c.fetching <- struct{}{}:
		c.refresh(ctx)
		<-c.fetching
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if c.isIssuer(issuer) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("the token is issued by %.200q, which is %w: expected one of %q", issuer, errNotRecognised, slices.Sorted(maps.Keys(c.issuers)))
}

func (c *keyCache) isIssuer(issuer string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen, known := c.issuers[issuer]
	return known && c.fetched.Sub(seen) < issuerGrace
}

// lookup returns whether a key is known, and whether the keys are recent enough.
func (c *keyCache) lookup(id string) (key jose.JSONWebKey, known, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, known = c.keys[id]
	return key, known, c.now().Sub(c.fetched) < maxAge
}

// refresh fetches unless the last fetch was within fetchPause. Only the holder of fetching calls it.
func (c *keyCache) refresh(ctx context.Context) {
	c.mu.Lock()
	tried := c.tried
	c.mu.Unlock()
	if !tried.IsZero() && c.now().Sub(tried) < fetchPause {
		return
	}
	// The fetch serves all callers, so the cancellation of one must not abort it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	issuer, keys, err := c.fetch(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried, c.failure = c.now(), err
	if err == nil {
		c.keys, c.fetched = keys, c.tried
		c.recordIssuer(issuer)
	}
}

// recordIssuer records the current issuer and removes expired ones.
func (c *keyCache) recordIssuer(issuer string) {
	if c.issuers == nil {
		c.issuers = map[string]time.Time{}
	}
	c.issuers[issuer] = c.fetched
	maps.DeleteFunc(c.issuers, func(_ string, seen time.Time) bool { return c.fetched.Sub(seen) >= issuerGrace })
}

// fetch gets the issuer and the keys.
func (c *keyCache) fetch(ctx context.Context) (string, map[string]jose.JSONWebKey, error) {
	issuer, err := c.fetchIssuer(ctx)
	if err != nil {
		return "", nil, err
	}
	set, err := c.fetchKeys(ctx)
	if err != nil {
		return "", nil, err
	}
	keys := map[string]jose.JSONWebKey{}
	for _, key := range set.Keys {
		if key.KeyID != "" && key.Use != "enc" && key.Valid() && key.IsPublic() {
			keys[key.KeyID] = key
		}
	}
	if len(keys) == 0 {
		return "", nil, fmt.Errorf("the API server published no usable key")
	}
	return issuer, keys, nil
}
