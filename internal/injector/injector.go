package injector

import (
	"fmt"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
)

// Injector adds sidecars to the pods of one mesh. Its fields are the parts that need no API server.
type Injector struct {
	config   Config
	log      *logging.Logger
	registry *prometheus.Registry
	limits   *httplimit.Metrics
	watcher  *certwatcher.CertWatcher
	api      *rest.Config
}

// New returns an injector. It reads the webhook's certificate and finds the API server's address, but sends no request.
func New(config Config) (*Injector, error) {
	log := logging.New(config.LogLevel)
	ctrl.SetLogger(log.Logger)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	dir := config.WebhookCertDir
	watcher, err := certwatcher.New(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		return nil, fmt.Errorf("the certificate of the webhook cannot be read from %s, where the operator's Secret is mounted: %w", dir, err)
	}
	api, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("the API server's address is not known: run in a cluster, or set KUBECONFIG: %w", err)
	}
	return &Injector{config: config, log: log, registry: registry, limits: httplimit.NewMetrics(registry), watcher: watcher, api: api}, nil
}
