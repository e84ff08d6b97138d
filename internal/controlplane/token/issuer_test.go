package token

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// TestIssuerChanges renames the issuer of the API server while the control plane runs.
func TestIssuerChanges(t *testing.T) {
	c := newCluster(t)
	current := issuer
	v := NewVerifier(Config{
		Audience: audience, FetchIssuer: func(context.Context) (string, error) { return current, nil }, FetchKeys: c.keys,
		Now: func() time.Time { return c.now },
	})
	token := func(issuer string) string {
		return c.token(t, func(claims map[string]any) { claims["iss"], claims["exp"] = issuer, c.now.Add(time.Hour).Unix() })
	}
	verify := func(issuer string, want bool) {
		t.Helper()
		if _, err := v.Verify(t.Context(), token(issuer)); (err == nil) != want {
			t.Errorf("a token of %s: %v, want it to be accepted: %t", issuer, err, want)
		}
	}
	verify(issuer, true)
	current = "https://oidc.example.com/cluster"
	c.now = c.now.Add(fetchPause)
	verify(current, true)
	verify(issuer, true)
	verify("https://evil", false)
	c.now = c.now.Add(issuerGrace)
	verify(current, true)
	c.now = c.now.Add(fetchPause)
	verify(issuer, false)
}

// TestTokenReview checks tokens that the API server accepts although it publishes neither their key nor their issuer.
func TestTokenReview(t *testing.T) {
	right := Reviewed{Username: "system:serviceaccount:bookstore:bookstore", UID: "sa-uid", Pod: "bookstore-0", PodUID: "pod-uid"}
	otherPod := right
	otherPod.PodUID = "another"
	for name, test := range map[string]struct {
		answer Reviewed
		err    error
		change func(map[string]any)
		want   bool
	}{
		"accepted":         {right, nil, nil, true},
		"not accepted":     {Reviewed{}, errors.New("not accepted"), nil, false},
		"another pod":      {otherPod, nil, nil, false},
		"another audience": {right, nil, func(c map[string]any) { c["aud"] = "x" }, false},
		"expired":          {right, nil, func(c map[string]any) { c["exp"] = start.Unix() - 60 }, false},
	} {
		c := newCluster(t)
		asked := 0
		v := NewVerifier(Config{
			Audience: audience, FetchIssuer: c.issuer, FetchKeys: c.keys, Now: func() time.Time { return c.now },
			Review: func(context.Context, string, string) (Reviewed, error) {
				asked++
				return test.answer, test.err
			},
		})
		claims := podClaims()
		if test.change != nil {
			test.change(claims)
		}
		token := sign(t, jose.ES256, newKey(t), "external", claims)
		if _, err := v.Verify(t.Context(), token); (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
		for range 100 {
			_, _ = v.Verify(t.Context(), token)
		}
		if asked > reviewBurst {
			t.Errorf("%s: the API server was asked %d times at once", name, asked)
		}
		// A forged signature of a known key needs no review.
		asked = 0
		if _, err := v.Verify(t.Context(), sign(t, jose.ES256, newKey(t), c.keyID, podClaims())); err == nil || asked > 0 {
			t.Errorf("%s: a forged token: %v, asked %d times", name, err, asked)
		}
	}
}

// TestReviewRequest serves a TokenReview as kube-apiserver does.
func TestReviewRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review authenticationv1.TokenReview
		if r.URL.Path != reviewPath || r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&review) != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		if review.Spec.Token == "good" {
			review.Status = authenticationv1.TokenReviewStatus{Authenticated: true, Audiences: review.Spec.Audiences, User: authenticationv1.UserInfo{
				Username: "u", UID: "1", Extra: map[string]authenticationv1.ExtraValue{podNameExtra: {"p"}, podUIDExtra: {"2"}},
			}}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	}))
	defer server.Close()
	client, err := discovery.NewDiscoveryClientForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	api := NewAPIServer(client.RESTClient())
	if got, err := api.Review(t.Context(), "good", audience); err != nil || got != (Reviewed{"u", "1", "p", "2"}) {
		t.Errorf("the review is %+v, %v", got, err)
	}
	if got, err := api.Review(t.Context(), "bad", audience); err == nil {
		t.Errorf("a bad token is %+v", got)
	}
}

// TestTokensOutliveAnOutage checks expired tokens while the API server is available, unavailable, and back.
func TestTokensOutliveAnOutage(t *testing.T) {
	c := newCluster(t)
	v := NewVerifier(Config{
		Audience: audience, FetchIssuer: c.issuer, FetchKeys: c.keys, Now: func() time.Time { return c.now },
		Check: func(context.Context) error {
			if c.unavailable {
				return errors.New("connection refused")
			}
			return nil
		},
	})
	token := c.token(t, nil) // for one hour
	at := func(after time.Duration, unavailable, want bool) {
		t.Helper()
		c.now, c.unavailable = start.Add(after), unavailable
		got, err := v.Verify(t.Context(), token)
		if (err == nil) != want {
			t.Errorf("%s after the start, unavailable %t: %v, want it to be accepted: %t", after, unavailable, err, want)
		}
		if expired := after > time.Hour; want && expired && got.ValidUntil != c.now.Add(checkInterval) {
			t.Errorf("the expired token is valid until %s, at %s", got.ValidUntil, c.now)
		}
	}
	at(0, false, true)
	at(2*time.Hour, false, false)
	at(3*time.Hour, true, true)
	at(20*time.Hour, true, true)
	at(20*time.Hour+5*time.Minute, false, true) // kubelets renew tokens after the return
	at(21*time.Hour, false, false)
	at(26*time.Hour, true, false)
}
