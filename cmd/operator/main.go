package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/config/admission"
	"github.com/openservicemesh/osm-operator/controllers/operator"
	"github.com/openservicemesh/osm-operator/controllers/operator/certificates"
	"github.com/openservicemesh/osm-operator/controllers/operator/olm"
	"github.com/openservicemesh/osm-operator/internal/operator/component/builtin"
	"github.com/openservicemesh/osm-operator/internal/operator/operand"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
	"github.com/openservicemesh/osm-operator/internal/platform/heap"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

func main() {
	options, further := operator.Options{}, ""
	var applyPolicies, showVersion bool
	flag.StringVar(&options.Namespace, "namespace", cmp.Or(os.Getenv("POD_NAMESPACE"), names.OperatorNamespace), "the namespace that the operator runs in; the default is $POD_NAMESPACE")
	flag.BoolVar(&options.LeaderElection, "leader-elect", false, "run leader election, so that one of several replicas is active")
	flag.StringVar(&options.ProbeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	flag.StringVar(&options.MetricsAddress, "metrics-bind-address", ":8443", "address of /metrics over HTTPS; 0 disables it")
	flag.StringVar(&further, "further-versions", "", "a directory with one subdirectory for each additional version that can be installed, such as a version under test")
	flag.DurationVar(&options.MountDelay, "mount-delay", certificates.DefaultMountDelay, "how long kubelets take at most until pods have the files of a changed Secret or ConfigMap; each step of a rotation waits for it")
	flag.StringVar(&options.LogLevel, "log-level", "info", "trace, debug, info, warn, error, fatal, panic or disabled; spec.controlPlane.logLevel of a Mesh can make it more verbose")
	flag.BoolVar(&applyPolicies, "apply-admission-policies", false, "apply and repair the admission policies of the operator, for installations that cannot contain them, such as those of OLM")
	flag.BoolVar(&showVersion, "version", false, "print the version and exit")
	flag.Parse()
	if showVersion {
		fmt.Println(version.Version)
		return
	}
	logger := logging.New(options.LogLevel)
	ctrl.SetLogger(logger.Logger)
	klog.SetLogger(logger.Logger)
	options.Logger, options.SetLogLevel = logger.Logger, logger.SetLevel
	options.Now = time.Now
	options.OperatorCondition = os.Getenv(olm.NameVariable)
	options.ComponentImages = componentImages()
	if applyPolicies {
		options.AdmissionPolicies = admission.Policies
	}
	if err := run(options, further); err != nil {
		logger.Error(err, "the operator failed")
		os.Exit(1)
	}
}

// run runs the operator until it receives a signal. further is a directory of additional versions, or empty.
func run(options operator.Options, further string) error {
	catalogue, err := operand.NewCatalogue(version.Version, images())
	if err != nil {
		return err
	}
	catalogue.UseRegistry(os.Getenv(operand.RegistryVariable))
	if further != "" {
		if err := catalogue.Add(os.DirFS(further)); err != nil {
			return err
		}
	}
	options.Catalogue = catalogue
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("the API server's address is not known: run the operator in a pod, or set KUBECONFIG: %w", err)
	}
	ctx := ctrl.SetupSignalHandler()
	server, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("the API server cannot be called: %w", err)
	}
	if err := backoff.AwaitAPIServer(ctx, server, serveWaiting(options.ProbeAddress), options.Logger); err != nil {
		return err
	}
	mgr, err := operator.NewManager(cfg, options)
	if err != nil {
		return err
	}
	options.Logger.Info("starting", "version", catalogue.Current(), "installs", catalogue.Known(), "images", images())
	go func() { _ = heap.ReturnUnused(ctx) }() // never fails
	return mgr.Start(ctx)
}

// images reads the images of the control plane. Packagers and mirrors replace these variables in the operator's Deployment.
func images() operand.Images {
	return operand.Images{
		Controller: os.Getenv(builtin.ControllerVariable),
		Injector:   os.Getenv(builtin.InjectorVariable),
		Init:       os.Getenv(builtin.InitVariable),
		Sidecar:    os.Getenv(builtin.EnvoyVariable),
	}
}

// componentImages reads the variables that replace images of components.
func componentImages() map[string]string {
	images := map[string]string{}
	for _, c := range builtin.All() {
		for _, image := range c.Images() {
			images[image.Variable] = os.Getenv(image.Variable)
		}
	}
	return images
}

// serveWaiting serves the health of an operator that waits for the API server.
func serveWaiting(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		if address == "" || address == "0" {
			<-ctx.Done()
			return nil
		}
		return health.Serve(ctx, health.Config{Address: address, Handler: waitingHandler(), OnClosed: func() {}})
	}
}

// waitingHandler reports that the operator is alive and not ready.
func waitingHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "waiting for the API server", http.StatusServiceUnavailable)
	})
	return mux
}
