package servertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/openservicemesh/osm-operator/internal/controlplane/token"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
)

const audience = "osm.osm-system.osm"

// server is an API server with one pod and its service account.
type server struct {
	config  *rest.Config
	client  kubernetes.Interface
	pod     *corev1.Pod
	account *corev1.ServiceAccount
}

func start(t *testing.T) *server {
	t.Helper()
	config := envtest.Start(t)
	s := &server{config: config, client: kubernetes.NewForConfigOrDie(config)}
	ctx := context.Background()
	var err error
	s.account, err = s.client.CoreV1().ServiceAccounts("default").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "bookstore"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.pod, err = s.client.CoreV1().Pods("default").Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "bookstore-0"},
		Spec:       corev1.PodSpec{ServiceAccountName: "bookstore", Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request requests a token as the kubelet does for a projected volume, or an unbound one as a user does.
func (s *server) request(t *testing.T, bound bool, audiences ...string) string {
	t.Helper()
	review := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: ptr.To[int64](3600)}}
	if bound {
		review.Spec.BoundObjectRef = &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: s.pod.Name, UID: s.pod.UID}
	}
	answer, err := s.client.CoreV1().ServiceAccounts("default").CreateToken(context.Background(), s.account.Name, review, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status.Token
}

// verifier reads keys with the permissions that every service account has by default.
func (s *server) verifier(t *testing.T) *token.Verifier {
	t.Helper()
	config := rest.AnonymousClientConfig(s.config)
	config.BearerToken = s.request(t, false)
	api := token.NewAPIServer(kubernetes.NewForConfigOrDie(config).Discovery().RESTClient())
	return token.NewVerifier(token.Config{Audience: audience, FetchIssuer: api.Issuer, FetchKeys: api.Keys, Now: time.Now})
}

// TestTokensOfUnknownKeys verifies tokens with a TokenReview alone, with the permissions of the controller.
func TestTokensOfUnknownKeys(t *testing.T) {
	s := start(t)
	api := token.NewAPIServer(kubernetes.NewForConfigOrDie(s.config).Discovery().RESTClient())
	if err := api.Check(t.Context()); err != nil {
		t.Error(err)
	}
	v := token.NewVerifier(token.Config{
		Audience: audience, FetchIssuer: api.Issuer, Review: api.Review, Now: time.Now,
		FetchKeys: func(context.Context) (*jose.JSONWebKeySet, error) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "another"}}}, err
		},
	})
	got, err := v.Verify(t.Context(), s.request(t, true, audience))
	if err != nil || got.Pod != s.pod.Name || got.InstanceID != entity.InstanceID(s.pod.UID) || got.ServiceAccountUID != string(s.account.UID) {
		t.Errorf("the token is %+v, %v", got, err)
	}
	good := s.request(t, true, audience)
	for name, raw := range map[string]string{"for the API server": s.request(t, true), "with another signature": good[:len(good)-8] + "AAAAAAAA"} {
		if got, err := v.Verify(t.Context(), raw); err == nil {
			t.Errorf("a token %s is accepted as %+v", name, got)
		}
	}
}

func TestTokensOfARealAPIServer(t *testing.T) {
	s := start(t)
	v := s.verifier(t)
	got, err := v.Verify(context.Background(), s.request(t, true, audience))
	if err != nil {
		t.Fatal(err)
	}
	left := time.Until(got.Expiry)
	want := token.Token{
		Namespace: "default", ServiceAccount: "bookstore", ServiceAccountUID: string(s.account.UID),
		Pod: s.pod.Name, InstanceID: entity.InstanceID(s.pod.UID), Expiry: got.Expiry, ValidUntil: got.Expiry,
	}
	if got != want || left < 50*time.Minute || left > 70*time.Minute {
		t.Errorf("token is %+v, want %+v for an hour", got, want)
	}
	for name, c := range map[string]struct{ token, want string }{
		"of no pod":          {s.request(t, false, audience), "not bound to a pod"},
		"for the API server": {s.request(t, true), `expected "osm.osm-system.osm"`},
		"for another mesh":   {s.request(t, true, "other.osm-system.osm"), `expected "osm.osm-system.osm"`},
	} {
		if _, err := v.Verify(context.Background(), c.token); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("token %s: error is %v, want one with %q", name, err, c.want)
		}
	}
}
