package controlplane

import (
	"net"
	"sync/atomic"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// newDebugServer returns the debug server, which is off until the MeshConfig enables it.
func newDebugServer(
	listen func() (net.Listener, error), store *snapshot.Store, certificates *certificate.Manager,
	meshConfig *atomic.Pointer[configv1alpha2.MeshConfig], log *logging.Logger,
) *debug.Switch {
	handler := debug.Handler(debug.Sources{Store: store, Certificates: certificates.List, MeshConfig: meshConfig.Load})
	return debug.NewSwitch(listen, handler, log.WithName("debug"))
}
