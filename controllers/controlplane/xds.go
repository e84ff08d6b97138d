package controlplane

import (
	"context"
	"net"
	"time"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/platform/compatibility"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// xdsServer returns a function that serves xDS. It listens at once, so that a port conflict fails the start.
func (c *ControlPlane) xdsServer() (serve func(context.Context) error, err error) {
	own := certificate.NewRenamedServerCertificate(c.authority.manager, time.Now, c.authority.manager.ServerNames(names.ADSCommonName))
	server, err := xds.NewServer(xds.Config{
		Compatibility: compatibility.Current(),
		Store:         c.store,
		Authenticator: newAuthenticator(c.config, c.api.clients.Discovery().RESTClient()),
		TLS:           own.TLSConfig(),
		Log:           c.log.WithName("xds"),
		Metrics:       c.metrics.registry,
		Loads:         c.loads,
		Now:           time.Now,
	})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.config.Addresses.XDS)
	return func(ctx context.Context) error { return server.Serve(ctx, listener) }, err
}
