package controlplane

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/feed"
)

// qps and burst limit the requests of the process to the API server.
const qps, burst = 50, 100

// apiServer is how the API server is reached.
type apiServer struct {
	config  *rest.Config
	clients kubernetes.Interface
}

// newAPIServer finds the API server's address, and registers a metric for the ages of watches.
func newAPIServer(registry prometheus.Registerer) (apiServer, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return apiServer{}, fmt.Errorf("the API server's address is not known: run in a cluster, or set KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = qps, burst
	// Watching deprecated policy kinds causes warnings on which readers of the log cannot act.
	config.WarningHandlerWithContext = rest.NoWarnings{}
	ages := feed.NewWatchAges(time.Now)
	registry.MustRegister(ages)
	config.Wrap(ages.Wrap)
	clients, err := kubernetes.NewForConfig(config)
	return apiServer{config, clients}, err
}
