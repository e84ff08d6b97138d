package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/snapshot"
)

const (
	// initialLifetime is OSM's default lifetime of workload certificates, used until the MeshConfig is read.
	initialLifetime = 24 * time.Hour
	// caInterval is how often the mounted CA Secret is checked. The kubelet takes about a minute to update it.
	caInterval = 10 * time.Second
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
	// rotated and rootChanged are set before run.
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
		Now: time.Now, Jitter: rand.Float64, Metrics: certificate.NewMetrics(registry),
		Rotated:     func(sa identity.ServiceAccount) { a.rotated(sa) },
		RootChanged: func() { a.rootChanged() },
	})
	registry.MustRegister(certificate.NewExpiryCollector(a.manager))
	return a, nil
}

// serverNames returns a function that lists the DNS names of a server of the control plane: one for each trust domain by which its clients
// may know it.
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
	go a.directory.Watch(ctx, caInterval, a.manager.SetRoot, failed)
	a.manager.Run(ctx, failed)
	return nil
}
