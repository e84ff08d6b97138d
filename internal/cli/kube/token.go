package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// tokenSeconds is the validity of a requested token. It is the minimum that the API server accepts.
const tokenSeconds = 600

// Token returns a bearer token that servers in the cluster can verify: the user's own token, or a short-lived token of a service account.
// The latter is for users without a token, for example with a client certificate.
func (f *Flags) Token(ctx context.Context, namespace, account string) (string, error) {
	config, err := f.Config()
	if err != nil {
		return "", err
	}
	if token, err := ownToken(ctx, config); err != nil || token != "" {
		return token, err
	}
	return f.RequestToken(ctx, namespace, account)
}

// RequestToken returns a short-lived token of a service account. Without audiences it is for the API server.
func (f *Flags) RequestToken(ctx context.Context, namespace, account string, audiences ...string) (string, error) {
	config, err := f.Config()
	if err != nil {
		return "", err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences, ExpirationSeconds: ptr.To[int64](tokenSeconds)}}
	answer, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token of service account %s/%s: %w", namespace, account, f.Sentence(err))
	}
	return answer.Status.Token, nil
}

// errCaptured aborts the request that ownToken uses to read the Authorization header.
var errCaptured = errors.New("captured")

// ownToken returns the bearer token of requests to the API server, or "" if they use none.
func ownToken(ctx context.Context, config *rest.Config) (string, error) {
	var token string
	wrapped, err := rest.HTTPWrappersForConfig(config, roundTripper(func(r *http.Request) (*http.Response, error) {
		token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		return nil, errCaptured
	}))
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://localhost/", nil)
	if err != nil {
		return "", err
	}
	response, err := wrapped.RoundTrip(request)
	if response != nil {
		_ = response.Body.Close()
	}
	if err != nil && !errors.Is(err, errCaptured) {
		return "", err
	}
	return token, nil
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
