package controlplane

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// Limits of token reviews for unauthenticated callers, with a client of their own.
const (
	reviewQPS   = 10
	reviewBurst = 20
)

// serveReport serves the state of this replica's sidecars to authorized callers.
func (c *ControlPlane) serveReport(ctx context.Context) error {
	unknown, err := c.reviewClients()
	if err != nil {
		return err
	}
	known, err := c.reviewClients()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.config.Addresses.Report)
	if err != nil {
		return err
	}
	own := certificate.NewRenamedServerCertificate(c.authority.manager, time.Now, c.authority.manager.ServerNames(names.ReportCommonName))
	access := server.NewAccess(server.AccessConfig{
		Mesh: c.config.Mesh, Unknown: unknown, Known: known, Now: time.Now,
	})
	return server.Serve(ctx, server.Config{
		Listener: listener, Certificate: own.Get, Handler: server.Handler(c.store, c.loads, c.authority.manager, access), OnClosed: c.metrics.limits.CountClosed,
	})
}

// reviewClients returns clients with a rate limit of their own.
func (c *ControlPlane) reviewClients() (kubernetes.Interface, error) {
	config := rest.CopyConfig(c.api.config)
	config.QPS, config.Burst = reviewQPS, reviewBurst
	return kubernetes.NewForConfig(config)
}

// otherReplicas returns a client for the reports of the other replicas.
func (c *ControlPlane) otherReplicas(reader client.Reader) *reportclient.Client {
	return reportclient.New(reportclient.Config{
		Replicas:    reportclient.PodsExcept(c.config.PodName, reader, c.config.Namespace),
		Token:       reportToken,
		Roots:       func() ([]byte, error) { return c.authority.manager.Root(), nil },
		TrustDomain: c.config.TrustDomain,
	})
}

// reportToken returns the token for the report API of the other replicas, from a file that the kubelet renews.
func reportToken(context.Context) (string, error) {
	content, err := os.ReadFile(filepath.Join(names.ReportTokenDir, names.ReportTokenFile))
	return strings.TrimSpace(string(content)), err
}
