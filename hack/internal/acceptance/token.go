package acceptance

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// checkToken compares the token in the client's pod with the discovery document and keys of the API server.
func (c Cluster) checkToken(ctx context.Context) error {
	raw, err := c.inClient(ctx, "cat", "/token/token")
	if err != nil {
		return err
	}
	header, claims, err := parseToken(raw)
	if err != nil {
		return err
	}
	if !slices.Equal(claims.Audience, []string{"acceptance"}) || claims.Kubernetes.Pod.Name != "client" {
		return fmt.Errorf("the token has audience %v and pod %q", claims.Audience, claims.Kubernetes.Pod.Name)
	}
	discovery, err := c.kubectl(ctx, "", "get", "--raw", "/.well-known/openid-configuration")
	if err != nil {
		return err
	}
	if !strings.Contains(discovery, `"issuer":"`+claims.Issuer+`"`) {
		return fmt.Errorf("the discovery document %s does not name the token's issuer %s", discovery, claims.Issuer)
	}
	keys, err := c.kubectl(ctx, "", "get", "--raw", "/openid/v1/jwks")
	if err == nil && !strings.Contains(keys, `"kid":"`+header.KeyID+`"`) {
		err = fmt.Errorf("the published keys %s lack the token's %s", keys, header.KeyID)
	}
	return err
}

type tokenHeader struct {
	KeyID string `json:"kid"`
}

type tokenClaims struct {
	Issuer     string   `json:"iss"`
	Audience   []string `json:"aud"`
	Kubernetes struct {
		Pod struct {
			Name string `json:"name"`
		} `json:"pod"`
	} `json:"kubernetes.io"`
}

// parseToken decodes the header and the claims of a token. It does not verify the signature.
func parseToken(raw string) (tokenHeader, tokenClaims, error) {
	var header tokenHeader
	var claims tokenClaims
	parts := strings.Split(strings.TrimSpace(raw), ".")
	if len(parts) != 3 {
		return header, claims, fmt.Errorf("a token has three parts, this one has %d", len(parts))
	}
	for i, into := range []any{&header, &claims} {
		content, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return header, claims, err
		}
		if err := json.Unmarshal(content, into); err != nil {
			return header, claims, err
		}
	}
	return header, claims, nil
}
