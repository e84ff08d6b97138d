package controlplane

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/requests"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// caInterval is how often the mounted CA Secret is checked. The kubelet takes about a minute to update it.
	caInterval = 10 * time.Second
	// requestTimeout is how long cert-manager may take to issue a certificate.
	requestTimeout = 30 * time.Second
	// sweepInterval is how often abandoned CertificateRequests are deleted.
	sweepInterval = 10 * time.Minute
)

// authority is the certificate authority of the mesh, with its root from the mounted Secret.
type authority struct {
	directory *certificate.Directory
	requester *requests.Requester
	manager   *certificate.Manager
}

// newRequester returns a requester of certificates of cert-manager. It sends nothing before its first request.
func newRequester(config Config, api *rest.Config) (*requests.Requester, error) {
	client, err := requests.NewClient(api)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{names.MeshLabel: config.Mesh, names.AppLabel: names.Controller}
	return requests.New(requests.Config{Client: client, Namespace: config.Namespace, Labels: labels, Timeout: requestTimeout, Now: time.Now}), nil
}

// run renews certificates and watches the Secret until ctx ends. It deletes abandoned CertificateRequests while workloads have certificates of
// cert-manager.
func (a *authority) run(ctx context.Context, log logr.Logger) error {
	failed := func(err error) { log.Error(err, "certificate renewal failed") }
	go a.requester.SweepEvery(ctx, sweepInterval, a.manager.UsesExternalIssuer, failed)
	go a.directory.Watch(ctx, caInterval, a.manager.SetRoot, failed)
	a.manager.Run(ctx, failed)
	return nil
}
