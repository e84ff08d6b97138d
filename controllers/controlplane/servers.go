package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	peerstatus "github.com/openservicemesh/osm-operator/controllers/controlplane/peers"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/debug"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
	"github.com/openservicemesh/osm-operator/internal/platform/admissionserver"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/httpmetrics"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
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

// newValidator returns the webhook of the control plane. It finds problems of policies with other objects in the mirror of the mesh.
func (c *ControlPlane) newValidator() (*validator, error) {
	reviews, err := validate.NewHTTPHandler(c.log.WithName("validator"), validate.Admission{
		CheckRelated: status.CheckRelated(c.mirror, c.config.Namespace),
		CheckMesh:    peerstatus.CheckMesh(c.config.Mesh, c.mirror, c.authority.manager.TrustDomains),
	}, c.metrics.registry)
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
	c.metrics.registry.MustRegister(admissionserver.NewExpiryCollector(v.config.Certificate))
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

// Limits of token reviews for unauthenticated callers, with a client of their own.
const (
	reviewQPS   = 10
	reviewBurst = 20
)

// serveReport serves the state of this replica's sidecars, and what peers have said, to authorized callers.
func (c *ControlPlane) serveReport(ctx context.Context, peers server.Peers) error {
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
		Listener: listener, Certificate: own.Get, Handler: server.Handler(c.store, c.loads, c.denials, c.authority.manager, peers, access),
		OnClosed: c.metrics.limits.CountClosed,
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

// newHandovers returns the handovers that the other replicas report.
func (c *ControlPlane) newHandovers(reader client.Reader) *handovers {
	return &handovers{
		others: c.otherReplicas(reader).Handovers, set: c.store.SetEpochsElsewhere,
		failed: func(err error) { c.log.Error(err, "cannot read from other replicas which sidecars were replaced") },
	}
}

// reportToken returns the token for the report API of the other replicas, from a file that the kubelet renews.
func reportToken(context.Context) (string, error) {
	content, err := os.ReadFile(filepath.Join(names.ReportTokenDir, names.ReportTokenFile))
	return strings.TrimSpace(string(content)), err
}

// processMetrics are the metrics of the process and of its HTTP servers.
type processMetrics struct {
	registry *prometheus.Registry
	http     *httpmetrics.Metrics
	limits   *httplimit.Metrics
}

// newMetrics returns a registry with the metrics of the process.
func newMetrics() processMetrics {
	registry := prometheus.NewRegistry()
	built := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "osm_version_info", Help: "Always 1, with the version and source commit of the control plane.",
	}, []string{"version", "build_date", "git_commit"})
	registry.MustRegister(built, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	commit, date := version.Source()
	built.WithLabelValues(version.Version, date, commit).Set(1)
	return processMetrics{registry: registry, http: httpmetrics.New(registry, time.Now), limits: httplimit.NewMetrics(registry)}
}

// newFlagMetric registers the metric of the feature flags.
func newFlagMetric(registry prometheus.Registerer) *prometheus.GaugeVec {
	flags := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "osm_feature_flag_enabled", Help: "1 for each feature flag of the MeshConfig that is on, 0 for the others.",
	}, []string{"feature_flag"})
	registry.MustRegister(flags)
	return flags
}

// newDebugServer returns the debug server, which is off until the MeshConfig enables it.
func newDebugServer(
	listen func() (net.Listener, error), store *snapshot.Store, certificates *certificate.Manager,
	meshConfig *atomic.Pointer[configv1alpha2.MeshConfig], log *logging.Logger,
) *debug.Switch {
	handler := debug.Handler(debug.Sources{Store: store, Certificates: certificates.List, MeshConfig: meshConfig.Load})
	return debug.NewSwitch(listen, handler, log.WithName("debug"))
}
