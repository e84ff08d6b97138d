package fleet

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

const (
	// Issuer is the issuer of the sidecars' tokens.
	Issuer = "https://issuer.bench"
	// Audience is the audience of the sidecars' tokens.
	Audience = "bench"

	keyID         = "bench"
	tokenLifetime = 12 * time.Hour
)

// Signer signs tokens as an API server does: RS256 with 2048 bits.
type Signer struct {
	signer jose.Signer
	// Keys is the JSON Web Key Set for verification.
	Keys []byte
}

// NewSigner generates a Signer with a new key.
func NewSigner() (*Signer, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID, Algorithm: "RS256", Use: "sig"}}})
	return &Signer{signer, keys}, err
}

// Token returns the service account token of a sidecar's pod.
func (s *Signer) Token(m *mesh.Mesh, sidecar int) (string, error) {
	pod := m.Pod(sidecar)
	type named struct {
		Name string `json:"name"`
		UID  string `json:"uid"`
	}
	claims := jwt.Claims{
		Issuer: Issuer, Audience: jwt.Audience{Audience},
		Subject: "system:serviceaccount:" + pod.Name.Namespace + ":" + pod.ServiceAccount,
		Expiry:  jwt.NewNumericDate(time.Now().Add(tokenLifetime)),
	}
	bound := map[string]any{"kubernetes.io": map[string]any{
		"namespace":      pod.Name.Namespace,
		"pod":            named{pod.Name.Name, pod.UID},
		"serviceaccount": named{pod.ServiceAccount, mesh.AccountUID(pod.Identity())},
	}}
	return jwt.Signed(s.signer).Claims(claims).Claims(bound).Serialize()
}
