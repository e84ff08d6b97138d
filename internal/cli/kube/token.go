package kube

import (
	"context"
	"errors"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
)

// tokenSeconds is the validity of a requested token. It is the minimum that the API server accepts.
const tokenSeconds = 600

// errNoAudience means that the caller named no audience.
var errNoAudience = errors.New("a token without audience would be for the API server")

// RequestToken returns a short-lived token of a service account for an audience, which is not that of the API server.
func (f *Flags) RequestToken(ctx context.Context, namespace, account, audience string) (string, error) {
	if audience == "" {
		// A request without audiences yields a token for the API server.
		return "", errNoAudience
	}
	config, err := f.Config()
	if err != nil {
		return "", err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", err
	}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}, ExpirationSeconds: ptr.To[int64](tokenSeconds)}}
	answer, err := clients.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("request a token of service account %s/%s: %w", namespace, account, f.Sentence(err))
	}
	return answer.Status.Token, nil
}
