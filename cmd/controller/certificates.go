package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/requests"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// initialLifetime is OSM's default lifetime of workload certificates, used until the MeshConfig is read.
	initialLifetime = 24 * time.Hour
	// caInterval is how often the mounted CA Secret is checked. The kubelet takes about a minute to update it.
	caInterval = 10 * time.Second
	// requestTimeout is how long cert-manager may take to issue a certificate.
	requestTimeout = 30 * time.Second
	// requestQPS and requestBurst limit the requests to the API server. A certificate takes three.
	requestQPS, requestBurst = 60, 60
	// sweepInterval is how often abandoned CertificateRequests are deleted.
	sweepInterval = 10 * time.Minute
)

// certificateSource adapts a Manager to snapshot.CertificateSource.
type certificateSource struct{ *certificate.Manager }

// Certificate implements snapshot.CertificateSource.
func (i certificateSource) Certificate(sa identity.ServiceAccount) (snapshot.Certificate, error) {
	leaf, err := i.Manager.Certificate(sa)
	return snapshot.Certificate(leaf), err
}

// authority is the built-in certificate authority of the mesh, with its root from the mounted Secret.
type authority struct {
	directory *certificate.Directory
	manager   *certificate.Manager
	// requester, rotated and rootChanged are set before run.
	requester   *requests.Requester
	rotated     func(identity.ServiceAccount)
	rootChanged func()
}

func openAuthority(o options, registry prometheus.Registerer) (*authority, error) {
	a := &authority{directory: certificate.OpenDirectory(o.caDir, time.Now)}
	root, err := a.directory.Load()
	if err != nil {
		return nil, err
	}
	a.manager = certificate.NewManager(certificate.Options{
		Root: root, TrustDomain: o.trustDomain, Key: o.key, Lifetime: initialLifetime,
		Now: time.Now, Jitter: rand.Float64, Metrics: certificate.NewMetrics(registry), Requester: a,
		Rotated:     func(sa identity.ServiceAccount) { a.rotated(sa) },
		RootChanged: func() { a.rootChanged() },
	})
	registry.MustRegister(certificate.NewExpiryCollector(a.manager))
	return a, nil
}

// Request implements certificate.Requester.
func (a *authority) Request(issuer certificate.ExternalIssuer, workload identity.ServiceAccount, csr []byte, lifetime time.Duration) ([]byte, error) {
	return a.requester.Request(issuer, workload, csr, lifetime)
}

// newRequester returns a requester of certificates of cert-manager. It sends nothing before its first request.
func newRequester(config *rest.Config, o options) (*requests.Requester, error) {
	scheme := runtime.NewScheme()
	if err := cmapi.AddToScheme(scheme); err != nil {
		return nil, err
	}
	own := rest.CopyConfig(config)
	own.QPS, own.Burst = requestQPS, requestBurst
	c, err := client.NewWithWatch(own, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("the client for CertificateRequests cannot be created: %w", err)
	}
	labels := map[string]string{names.MeshLabel: o.mesh, names.AppLabel: names.Controller}
	return requests.New(requests.Config{Client: c, Namespace: o.namespace, Labels: labels, Timeout: requestTimeout, Now: time.Now}), nil
}

// sweep deletes abandoned CertificateRequests until ctx ends, while workloads have certificates of cert-manager.
func (a *authority) sweep(ctx context.Context, failed func(error)) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		if a.manager.UsesExternalIssuer() {
			if err := a.requester.Sweep(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// serverNames returns a function that lists the DNS names of a server of the control plane: one for each trust domain that its clients may
// expect.
func (a *authority) serverNames(trustDomain string, name func(string) string) func() []string {
	return func() []string {
		var list []string
		for _, domain := range identity.MergeTrustDomains(a.manager.TrustDomains().Known, []string{trustDomain}) {
			list = append(list, name(domain))
		}
		return list
	}
}

// run renews certificates and watches the Secret until ctx ends.
func (a *authority) run(ctx context.Context, log logr.Logger) error {
	failed := func(err error) { log.Error(err, "certificate renewal failed") }
	go a.sweep(ctx, failed)
	go a.directory.Watch(ctx, caInterval, a.manager.SetRoot, failed)
	a.manager.Run(ctx, failed)
	return nil
}
