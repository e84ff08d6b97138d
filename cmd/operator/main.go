package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/openservicemesh/osm-operator/controllers/operator"
	"github.com/openservicemesh/osm-operator/internal/logging"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
	"github.com/openservicemesh/osm-operator/internal/version"
)

func main() {
	options, metrics, logLevel, further, showVersion := operator.Options{}, "", "", "", false
	flag.StringVar(&options.Namespace, "namespace", names.OperatorNamespace, "the namespace that the operator runs in")
	flag.BoolVar(&options.LeaderElection, "leader-elect", false, "let one of several replicas act")
	flag.StringVar(&options.ProbeAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flag.StringVar(&metrics, "metrics-bind-address", ":8443", "where /metrics is served over HTTPS; 0 serves none")
	flag.StringVar(&further, "further-versions", "", "a folder that has a folder for each further version that can be installed, such as one under test")
	flag.StringVar(&logLevel, "log-level", "info", "trace, debug, info, warn, error, fatal, panic or disabled")
	flag.BoolVar(&showVersion, "version", false, "print the version and exit")
	flag.Parse()
	if showVersion {
		fmt.Println(version.Version)
		return
	}
	logger := logging.New(logLevel)
	ctrl.SetLogger(logger.Logger)
	klog.SetLogger(logger.Logger)
	options.Logger = logger.Logger
	options.Now = time.Now
	options.Metrics = metricsserver.Options{
		BindAddress: metrics, SecureServing: true, FilterProvider: filters.WithAuthenticationAndAuthorization,
	}
	if err := run(options, further); err != nil {
		logger.Error(err, "the operator stops")
		os.Exit(1)
	}
}

// run runs the operator until it is told to stop. further is a folder of further versions, or empty.
func run(options operator.Options, further string) error {
	catalogue, err := operand.NewCatalogue(version.Version, images())
	if err != nil {
		return err
	}
	if further != "" {
		if err := catalogue.Add(os.DirFS(further)); err != nil {
			return err
		}
	}
	options.Catalogue = catalogue
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("no cluster to work in: run the operator in a pod, or set KUBECONFIG: %w", err)
	}
	mgr, err := operator.NewManager(cfg, options)
	if err != nil {
		return err
	}
	options.Logger.Info("starting", "version", catalogue.Current(), "installs", catalogue.Known(), "images", images())
	return mgr.Start(ctrl.SetupSignalHandler())
}

// images reads the images of the control plane; packagers and mirrors rewrite these variables in the operator's Deployment.
func images() operand.Images {
	return operand.Images{
		Controller: os.Getenv("RELATED_IMAGE_OSM_CONTROLLER"),
		Injector:   os.Getenv("RELATED_IMAGE_OSM_INJECTOR"),
		Init:       os.Getenv("RELATED_IMAGE_OSM_INIT"),
		Sidecar:    os.Getenv("RELATED_IMAGE_ENVOY"),
	}
}
