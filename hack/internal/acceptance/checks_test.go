package acceptance

import (
	"encoding/base64"
	"testing"
)

func TestParseToken(t *testing.T) {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	raw := part(`{"kid":"k1"}`) + "." + part(`{"iss":"i","aud":["a"],"kubernetes.io":{"pod":{"name":"p"}}}`) + ".sig\n"
	header, claims, err := parseToken(raw)
	if err != nil {
		t.Fatal(err)
	}
	if header.KeyID != "k1" || claims.Issuer != "i" || len(claims.Audience) != 1 || claims.Kubernetes.Pod.Name != "p" {
		t.Errorf("header %+v, claims %+v", header, claims)
	}
	for _, bad := range []string{"", "a.b", "!.!.!", part("x") + "." + part("{}") + "."} {
		if _, _, err := parseToken(bad); err == nil {
			t.Errorf("parseToken(%q) returned no error", bad)
		}
	}
}
