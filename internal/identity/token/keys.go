package token

import (
	"context"
	"fmt"
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
)

// keyCache holds the API server's keys. It keeps them while the API server is unavailable.
type keyCache struct {
	fetchIssuer func(context.Context) (string, error)
	fetchKeys   func(context.Context) (*jose.JSONWebKeySet, error)
	now         func() time.Time
	// fetching has capacity 1: the caller that fetches holds its slot.
	fetching chan struct{}

	mu sync.Mutex
	// issuer and keys are unset until the first successful fetch.
	issuer  string
	keys    map[string]jose.JSONWebKey
	fetched time.Time
	tried   time.Time
	failure error
}

func newKeyCache(issuer func(context.Context) (string, error), keys func(context.Context) (*jose.JSONWebKeySet, error), now func() time.Time) *keyCache {
	return &keyCache{fetchIssuer: issuer, fetchKeys: keys, now: now, fetching: make(chan struct{}, 1)}
}

// find returns the public key with the given ID, usable with the algorithm, and its issuer. It fetches when the key is
// unknown or the keys are old, at most every fetchPause.
func (c *keyCache) find(ctx context.Context, id, algorithm string) (any, string, error) {
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
			return nil, "", fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
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
		return nil, "", fmt.Errorf("%w: %w", ErrUnavailable, c.failure)
	case !known:
		return nil, "", fmt.Errorf("the token is signed with the key %.64q, which is not one of the API server of this cluster", id)
	case key.Algorithm != "" && key.Algorithm != algorithm:
		return nil, "", fmt.Errorf("the token is signed with %.16q, but its key is for %s", algorithm, key.Algorithm)
	}
	return key.Key, c.issuer, nil
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
	issuer, tried := c.issuer, c.tried
	c.mu.Unlock()
	if !tried.IsZero() && c.now().Sub(tried) < fetchPause {
		return
	}
	// The fetch serves all callers, so the cancellation of one must not abort it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	issuer, keys, err := c.fetch(ctx, issuer)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried, c.failure = c.now(), err
	if err == nil {
		c.issuer, c.keys, c.fetched = issuer, keys, c.tried
	}
}

// fetch gets the keys, and the issuer unless it is known.
func (c *keyCache) fetch(ctx context.Context, issuer string) (string, map[string]jose.JSONWebKey, error) {
	if issuer == "" {
		var err error
		if issuer, err = c.fetchIssuer(ctx); err != nil {
			return "", nil, err
		}
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
