package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	issuer   = "https://kubernetes.default.svc"
	audience = "osm.osm-system.osm"
)

var start = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// cluster is an API server that signs tokens, with a clock.
type cluster struct {
	key         *ecdsa.PrivateKey
	keyID       string
	unavailable bool
	fetches     int
	now         time.Time
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	return &cluster{key: newKey(t), keyID: "k1", now: start}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (c *cluster) issuer(context.Context) (string, error) { return issuer, nil }

func (c *cluster) keys(context.Context) (*jose.JSONWebKeySet, error) {
	c.fetches++
	if c.unavailable {
		return nil, errors.New("connection refused")
	}
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: c.key.Public(), KeyID: c.keyID, Algorithm: "ES256", Use: "sig"}}}, nil
}

func (c *cluster) verifier() *Verifier {
	return NewVerifier(Config{Audience: audience, FetchIssuer: c.issuer, FetchKeys: c.keys, Now: func() time.Time { return c.now }})
}

// podClaims are the claims of a valid token.
func podClaims() map[string]any {
	return map[string]any{
		"iss": issuer, "aud": []string{audience}, "sub": "system:serviceaccount:bookstore:bookstore",
		"iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      "bookstore",
			"serviceaccount": map[string]any{"name": "bookstore", "uid": "sa-uid"},
			"pod":            map[string]any{"name": "bookstore-0", "uid": "pod-uid"},
		},
	}
}

// sign signs a token with the claims.
func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, keyID string, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// token returns a token of the cluster with changed claims.
func (c *cluster) token(t testing.TB, change func(map[string]any)) string {
	t.Helper()
	claims := podClaims()
	if change != nil {
		change(claims)
	}
	return sign(t, jose.ES256, crypto.Signer(c.key), c.keyID, claims)
}
