package controlplane

import (
	"fmt"
	"net"
	"sync/atomic"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// debugAddress is on the loopback interface: kubectl port-forward reaches it, but no other pod does.
func debugAddress() string { return fmt.Sprintf("127.0.0.1:%d", names.DebugPort) }

func listenDebug() (net.Listener, error) { return net.Listen("tcp", debugAddress()) }

// newDebugServer returns the debug server, which is off until the MeshConfig enables it.
func newDebugServer(
	listen func() (net.Listener, error), store *snapshot.Store, certificates *certificate.Manager,
	meshConfig *atomic.Pointer[configv1alpha2.MeshConfig], log *logging.Logger,
) *debug.Switch {
	handler := debug.Handler(debug.Sources{Store: store, Certificates: certificates.List, MeshConfig: meshConfig.Load})
	return debug.NewSwitch(listen, handler, log.WithName("debug"))
}
