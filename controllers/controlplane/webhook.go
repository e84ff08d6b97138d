package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
	"github.com/openservicemesh/osm-operator/internal/platform/admissionserver"
)

// validatePath is the path of the validating webhook in OSM's webhook configurations.
const validatePath = "/validate"

// maxReviews is how many reviews are handled at the same time. It is small, because the process serves sidecars too.
const maxReviews = 4

// validator is the validating webhook for policies and MeshConfigs.
type validator struct {
	config  admissionserver.Config
	watcher *certwatcher.CertWatcher
}

// newValidator returns the webhook of the control plane. It finds conflicts of policies with reader.
func (c *ControlPlane) newValidator(reader client.Reader) (*validator, error) {
	reviews, err := validate.NewHTTPHandler(c.log.WithName("validator"), status.FindConflicts(reader), c.metrics.registry)
	if err != nil {
		return nil, err
	}
	clientCAs, err := admissionserver.ParseClientCAs(c.config.WebhookClientCA)
	if err != nil {
		return nil, err
	}
	v, err := newValidator(c.config.Addresses.Webhook, c.config.WebhookCertDir, c.metrics.http.Measure(reviews, validatePath), c.metrics.limits.CountClosed)
	if err != nil {
		return nil, err
	}
	v.config.ClientCAs = clientCAs
	return v, nil
}

// newValidator returns a webhook with the certificate in a directory. It listens at once, so that a port conflict fails the start.
func newValidator(address, dir string, reviews http.Handler, onClosed func()) (*validator, error) {
	watcher, err := certwatcher.New(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("the certificate of the webhook cannot be read from %s, where the operator's Secret is mounted: %w", dir, err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("the webhook cannot listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(validatePath, reviews)
	return &validator{
		config: admissionserver.Config{
			Listener: listener, Handler: mux, Certificate: watcher.GetCertificate, Requests: maxReviews, OnClosed: onClosed,
		},
		watcher: watcher,
	}, nil
}

// run serves reviews until ctx ends. The caller has already waited for API servers to remove the endpoint.
func (v *validator) run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return v.watcher.Start(running) })
	group.Go(func() error { return admissionserver.Serve(running, v.config) })
	return group.Wait()
}
