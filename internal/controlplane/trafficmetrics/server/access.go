package server

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authentication/request/headerrequest"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/osm-operator/internal/platform/tokenlimit"
)

// The ConfigMap with which every API server describes how it forwards requests.
const (
	authenticationNamespace = "kube-system"
	authenticationConfig    = "extension-apiserver-authentication"
)

// Caches and limits of decisions, those of k8s.io/apiserver.
const (
	authenticatedFor = 10 * time.Second
	allowedFor       = 10 * time.Second
	deniedFor        = 10 * time.Second
	reviewTimeout    = 10 * time.Second
)

// retryInterval is the time between two attempts to read how the API server forwards requests, and readTimeout limits one.
const (
	retryInterval = 2 * time.Second
	readTimeout   = 10 * time.Second
)

func backoff() *wait.Backoff {
	return &wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 5}
}

// access decides who sends a request, and whether the user may.
type access struct {
	authenticator authenticator.Request
	authorizer    authorizer.UnconditionalAuthorizer
	headers       *authenticatorfactory.RequestHeaderConfig
}

// newAccess reads how the API server forwards requests, and follows changes until ctx ends.
func newAccess(ctx context.Context, clients kubernetes.Interface, now func() time.Time, log logr.Logger) (*access, error) {
	headers, err := requestHeaders(ctx, clients, log)
	if err != nil {
		return nil, err
	}
	users, err := dynamiccertificates.NewDynamicCAFromConfigMapController("client-ca", authenticationNamespace, authenticationConfig, "client-ca-file", clients)
	if err != nil {
		return nil, err
	}
	if err := users.RunOnce(ctx); err != nil {
		return nil, fmt.Errorf("read the certificates of users: %w", err)
	}
	go users.Run(ctx, 1)
	authentication := authenticatorfactory.DelegatingAuthenticatorConfig{
		Anonymous: &apiserver.AnonymousAuthConfig{Enabled: false}, CacheTTL: authenticatedFor, WebhookRetryBackoff: backoff(),
		TokenAccessReviewClient: clients.AuthenticationV1(), TokenAccessReviewTimeout: reviewTimeout,
		ClientCertificateCAContentProvider: users, RequestHeaderConfig: headers,
	}
	a := &access{headers: headers}
	inner, _, err := authentication.New()
	if err != nil {
		return nil, err
	}
	a.authenticator = tokenlimit.New(inner, now)
	authorization := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: clients.AuthorizationV1(), AllowCacheTTL: allowedFor, DenyCacheTTL: deniedFor, WebhookRetryBackoff: backoff(),
	}
	a.authorizer, err = authorization.New()
	return a, err
}

// retryUntilRead reads until it succeeds. A server that exits while the API server is away, or before its permissions exist, would be
// restarted with delays of up to five minutes.
func retryUntilRead(ctx context.Context, read func(context.Context) error, log logr.Logger) error {
	return wait.PollUntilContextCancel(ctx, retryInterval, true, func(ctx context.Context) (bool, error) {
		limited, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		err := read(limited)
		if err != nil {
			log.Info("waiting for the API server", "reason", err.Error())
		}
		return err == nil, nil
	})
}

// requestHeaders follows which certificate the API server forwards requests with, and which headers name their users.
func requestHeaders(ctx context.Context, clients kubernetes.Interface, log logr.Logger) (*authenticatorfactory.RequestHeaderConfig, error) {
	names := headerrequest.NewRequestHeaderAuthRequestController(authenticationConfig, authenticationNamespace, clients,
		"requestheader-username-headers", "requestheader-uid-headers", "requestheader-group-headers", "requestheader-extra-headers-prefix",
		"requestheader-allowed-names")
	if err := retryUntilRead(ctx, names.RunOnce, log); err != nil {
		return nil, fmt.Errorf("read how the API server forwards requests: %w", err)
	}
	proxy, err := dynamiccertificates.NewDynamicCAFromConfigMapController("request-header", authenticationNamespace, authenticationConfig,
		"requestheader-client-ca-file", clients)
	if err != nil {
		return nil, err
	}
	if err := proxy.RunOnce(ctx); err != nil {
		return nil, fmt.Errorf("read the certificate with which the API server forwards requests: the aggregation layer must be enabled: %w", err)
	}
	go names.Run(ctx, 1)
	go proxy.Run(ctx, 1)
	return &authenticatorfactory.RequestHeaderConfig{
		UsernameHeaders:     headerrequest.StringSliceProvider(headerrequest.StringSliceProviderFunc(names.UsernameHeaders)),
		UIDHeaders:          headerrequest.StringSliceProvider(headerrequest.StringSliceProviderFunc(names.UIDHeaders)),
		GroupHeaders:        headerrequest.StringSliceProvider(headerrequest.StringSliceProviderFunc(names.GroupHeaders)),
		ExtraHeaderPrefixes: headerrequest.StringSliceProvider(headerrequest.StringSliceProviderFunc(names.ExtraHeaderPrefixes)),
		AllowedClientNames:  headerrequest.StringSliceProvider(headerrequest.StringSliceProviderFunc(names.AllowedClientNames)),
		CAContentProvider:   proxy,
	}, nil
}
