package token

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// FuzzVerify verifies any text. Only the tokens of the cluster are accepted, and no error contains the token.
func FuzzVerify(f *testing.F) {
	c := &cluster{key: newKey(f), keyID: "k1", now: start}
	valid := c.token(f, nil)
	others := []string{
		"", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", valid + "x", strings.Replace(valid, ".", "..", 1),
		c.token(f, func(claims map[string]any) { claims["exp"] = "never" }),
		c.token(f, func(claims map[string]any) { claims["kubernetes.io"] = []any{1} }),
		sign(f, jose.ES256, newKey(f), "k1", podClaims()),
	}
	f.Add(valid)
	for _, seed := range others {
		f.Add(seed)
	}
	v := c.verifier()
	f.Fuzz(func(t *testing.T, raw string) {
		verified, err := v.Verify(t.Context(), raw)
		if err == nil {
			if verified.Namespace != "bookstore" || verified.InstanceID != "pod-uid" {
				t.Errorf("%q is accepted as %+v", raw, verified)
			}
			return
		}
		if errors.Is(err, ErrUnavailable) {
			t.Errorf("%q: %v", raw, err)
		}
		if _, signature, found := strings.Cut(strings.TrimPrefix(raw, strings.SplitN(raw, ".", 2)[0]+"."), "."); found && len(signature) > 20 && strings.Contains(err.Error(), signature) {
			t.Errorf("the error contains the token: %v", err)
		}
	})
}
