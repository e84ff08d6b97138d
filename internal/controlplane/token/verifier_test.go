package token

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

func TestVerifyReturnsClaims(t *testing.T) {
	c := newCluster(t)
	got, err := c.verifier().Verify(context.Background(), c.token(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	got.Expiry, got.ValidUntil = got.Expiry.UTC(), got.ValidUntil.UTC()
	want := Token{Namespace: "bookstore", ServiceAccount: "bookstore", ServiceAccountUID: "sa-uid", Pod: "bookstore-0", InstanceID: "pod-uid", Expiry: start.Add(time.Hour), ValidUntil: start.Add(time.Hour)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// kubernetes is the claim with the bound objects.
func kubernetes(c map[string]any) map[string]any { return c["kubernetes.io"].(map[string]any) }

// TestThreat4WrongTokens covers tokens with a valid signature that must be rejected.
func TestThreat4WrongTokens(t *testing.T) {
	at := func(d time.Duration) int64 { return start.Add(d).Unix() }
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"audience of the API server": {func(c map[string]any) { c["aud"] = []string{issuer} }, `expected "osm.osm-system.osm"`},
		"audience of another mesh":   {func(c map[string]any) { c["aud"] = "osm2.osm-system.osm" }, `expected "osm.osm-system.osm"`},
		"no audience":                {func(c map[string]any) { delete(c, "aud") }, `expected "osm.osm-system.osm"`},
		"issuer of another cluster":  {func(c map[string]any) { c["iss"] = "https://evil" }, `issued by "https://evil"`},
		"no issuer":                  {func(c map[string]any) { delete(c, "iss") }, "issued by"},
		"expired":                    {func(c map[string]any) { c["exp"] = at(-time.Minute) }, "expired at 2030-01-01T11:59:00Z"},
		"never expires":              {func(c map[string]any) { delete(c, "exp") }, "never expires"},
		"not yet valid":              {func(c map[string]any) { c["nbf"] = at(time.Minute) }, "valid only from"},
		"no pod (legacy or kubectl)": {func(c map[string]any) { delete(kubernetes(c), "pod") }, "not bound to a pod"},
		"pod without UID":            {func(c map[string]any) { kubernetes(c)["pod"] = map[string]any{"name": "x"} }, "not bound to a pod"},
		"no service account":         {func(c map[string]any) { delete(kubernetes(c), "serviceaccount") }, "names no service account"},
		"no Kubernetes claims":       {func(c map[string]any) { delete(c, "kubernetes.io") }, "not bound to a pod"},
		"claims of the wrong shape":  {func(c map[string]any) { c["kubernetes.io"] = "x" }, "cannot unmarshal"},
		"subject of another account": {func(c map[string]any) { c["sub"] = "system:serviceaccount:bank:vault" }, "is not its service account"},
	} {
		cluster := newCluster(t)
		_, err := cluster.verifier().Verify(context.Background(), cluster.token(t, c.change))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, c.want)
		}
	}
}

// TestThreat1ForgedTokens covers tokens that the API server did not sign.
func TestThreat1ForgedTokens(t *testing.T) {
	c := newCluster(t)
	good := c.token(t, nil)
	parts := strings.Split(good, ".")
	der, err := x509.MarshalPKIXPublicKey(c.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	tampered := podClaims()
	tampered["sub"] = "system:serviceaccount:bank:vault"
	for name, token := range map[string]string{
		"empty":                    "",
		"malformed":                "a.b.c",
		"two parts":                parts[0] + "." + parts[1],
		"huge":                     strings.Repeat("a", 1<<20),
		"JSON serialisation":       `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"algorithm none":           encode(map[string]string{"alg": "none", "kid": "k1"}) + "." + parts[1] + ".",
		"HS256 with public key":    sign(t, jose.HS256, publicPEM, "k1", podClaims()),
		"HS256 with public DER":    sign(t, jose.HS256, der, "k1", podClaims()),
		"another key, known id":    sign(t, jose.ES256, newKey(t), "k1", podClaims()),
		"another key, unknown id":  sign(t, jose.ES256, newKey(t), "k9", podClaims()),
		"another key without id":   sign(t, jose.ES256, newKey(t), "", podClaims()),
		"other algorithm":          sign(t, jose.RS256, rsaKey, "k1", podClaims()),
		"algorithm not Kubernetes": sign(t, jose.PS256, rsaKey, "k1", podClaims()),
		"changed payload":          parts[0] + "." + encode(tampered) + "." + parts[2],
		"cut signature":            good[:len(good)-4],
	} {
		if got, err := c.verifier().Verify(context.Background(), token); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
}

func TestErrorsNeverContainTheToken(t *testing.T) {
	c := newCluster(t)
	token := sign(t, jose.ES256, newKey(t), c.keyID, podClaims())
	_, err := c.verifier().Verify(context.Background(), token)
	if err == nil || strings.Contains(err.Error(), strings.Split(token, ".")[2]) {
		t.Errorf("error is %v", err)
	}
}

func TestClockDifferenceIsTolerated(t *testing.T) {
	c := newCluster(t)
	v, token := c.verifier(), c.token(t, nil)
	for _, offset := range []time.Duration{-9 * time.Second, time.Hour + 9*time.Second} {
		c.now = start.Add(offset)
		if _, err := v.Verify(context.Background(), token); err != nil {
			t.Errorf("%s after the start: %v", offset, err)
		}
	}
	for _, offset := range []time.Duration{-11 * time.Second, time.Hour + 11*time.Second} {
		c.now = start.Add(offset)
		if _, err := v.Verify(context.Background(), token); err == nil {
			t.Errorf("%s after the start: accepted", offset)
		}
	}
}
