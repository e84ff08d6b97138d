package token

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

func TestKeysAreFetchedOnce(t *testing.T) {
	c := newCluster(t)
	v, token := c.verifier(), c.token(t, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := v.Verify(context.Background(), token); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c.fetches != 1 {
		t.Errorf("%d fetches for 20 tokens, want 1", c.fetches)
	}
}

func TestThreat53UnknownKeyIDsDoNotFloodTheAPIServer(t *testing.T) {
	c := newCluster(t)
	v := c.verifier()
	unknown := newKey(t)
	for range 100 {
		_, err := v.Verify(context.Background(), sign(t, jose.ES256, unknown, "unknown", podClaims()))
		if err == nil || errors.Is(err, ErrUnavailable) {
			t.Fatalf("error is %v, want a final one", err)
		}
	}
	if c.fetches != 1 {
		t.Errorf("%d fetches, want 1 in ten seconds", c.fetches)
	}
	c.now = c.now.Add(fetchPause)
	v.Verify(context.Background(), sign(t, jose.ES256, unknown, "unknown", podClaims()))
	if c.fetches != 2 {
		t.Errorf("%d fetches, want a second one after the pause", c.fetches)
	}
}

func TestNewSigningKeyIsFound(t *testing.T) {
	c := newCluster(t)
	v := c.verifier()
	old := c.token(t, nil)
	if _, err := v.Verify(context.Background(), old); err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Minute)
	c.key, c.keyID = newKey(t), "k2"
	if _, err := v.Verify(context.Background(), c.token(t, nil)); err != nil {
		t.Errorf("token of the new key: %v", err)
	}
	if _, err := v.Verify(context.Background(), old); err == nil {
		t.Error("a token of the withdrawn key is accepted")
	}
}

func TestWithdrawnKeyExpires(t *testing.T) {
	c := newCluster(t)
	v := c.verifier()
	old := c.token(t, nil)
	if _, err := v.Verify(context.Background(), old); err != nil {
		t.Fatal(err)
	}
	c.key, c.keyID = newKey(t), "k2"
	c.now = c.now.Add(maxAge)
	if _, err := v.Verify(context.Background(), old); err == nil {
		t.Error("a token of the withdrawn key is accepted")
	}
}

func TestThreat46APIServerUnavailable(t *testing.T) {
	c := newCluster(t)
	v, token := c.verifier(), c.token(t, nil)
	c.unavailable = true
	if _, err := v.Verify(context.Background(), token); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("before the first fetch: error is %v, want ErrUnavailable", err)
	}
	c.unavailable = false
	c.now = c.now.Add(fetchPause)
	if _, err := v.Verify(context.Background(), token); err != nil {
		t.Fatal(err)
	}
	c.unavailable = true
	c.now = c.now.Add(30 * time.Minute)
	if _, err := v.Verify(context.Background(), token); err != nil {
		t.Errorf("cached keys are not used while the API server is unavailable: %v", err)
	}
}

func TestCanceledCallerReturns(t *testing.T) {
	c := newCluster(t)
	v := c.verifier()
	v.keys.fetching <- struct{}{} // another caller's fetch hangs
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.Verify(ctx, c.token(t, nil)); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want one of the caller's context", err)
	}
}

func TestPrivateAndSharedKeysAreNeverUsed(t *testing.T) {
	c := newCluster(t)
	v := NewVerifier(Config{
		Audience: audience, FetchIssuer: c.issuer, Now: func() time.Time { return c.now },
		FetchKeys: func(context.Context) (*jose.JSONWebKeySet, error) {
			return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
				{Key: c.key, KeyID: "k1"}, {Key: []byte("secret"), KeyID: "k2"}, {Key: c.key.Public(), KeyID: "k3", Use: "enc"},
			}}, nil
		},
	})
	for _, id := range []string{"k1", "k2", "k3"} {
		if _, err := v.Verify(context.Background(), sign(t, jose.ES256, c.key, id, podClaims())); err == nil {
			t.Errorf("key %s was used", id)
		}
	}
}

// TestAPIServerMediaTypes serves the two documents as kube-apiserver does, each with one media type.
func TestAPIServerMediaTypes(t *testing.T) {
	c := newCluster(t)
	key, err := jose.JSONWebKey{Key: c.key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string][2]string{
		configurationPath: {"application/json", `{"issuer":"` + issuer + `","jwks_uri":"https://10.0.0.1/openid/v1/jwks"}`},
		keysPath:          {"application/jwk-set+json", `{"keys":[` + string(key) + `]}`},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document, ok := documents[r.URL.Path]
		if !ok || r.Header.Get("Accept") != document[0] {
			http.Error(w, "not acceptable", http.StatusNotAcceptable)
			return
		}
		w.Header().Set("Content-Type", document[0])
		w.Write([]byte(document[1]))
	}))
	defer server.Close()
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	api := NewAPIServer(client.RESTClient())
	v := NewVerifier(Config{Audience: audience, FetchIssuer: api.Issuer, FetchKeys: api.Keys, Now: func() time.Time { return c.now }})
	if _, err := v.Verify(context.Background(), c.token(t, nil)); err != nil {
		t.Error(err)
	}
}
