package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics"
	"github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics/server"
	"github.com/openservicemesh/osm-operator/internal/platform/logging"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// options holds the values of flags.
type options struct {
	address, host, logLevel                  string
	prometheusAddress, prometheusCA, tokenAt string
}

func main() {
	if err := command().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:           "osm-traffic-metrics",
		Short:         "Serves SMI's TrafficMetrics of a mesh as an aggregated API",
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.address, "address", ":8443", "address of the API over HTTPS")
	flags.StringVar(&o.host, "host", "", "DNS name of the Service, <name>.<namespace>.svc")
	flags.StringVar(&o.logLevel, "log-level", "info", "log level")
	flags.StringVar(&o.prometheusAddress, "prometheus", "", "URL of the Prometheus that scrapes the mesh")
	flags.StringVar(&o.prometheusCA, "prometheus-ca", "", "file with the CA certificates of an https address; may be missing")
	flags.StringVar(&o.tokenAt, "prometheus-token", "", "file with a bearer token for an https address; may be missing")
	return cmd
}

func run(ctx context.Context, o options) error {
	if o.host == "" || o.prometheusAddress == "" {
		return errors.New("--host and --prometheus are required")
	}
	logger := logging.New(o.logLevel)
	ctrl.SetLogger(logger.Logger)
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("the address of the API server is not known: %w", err)
	}
	listener, err := net.Listen("tcp", o.address)
	if err != nil {
		return fmt.Errorf("the API cannot listen: %w", err)
	}
	s := server.Server{
		Config: config, Host: o.host, Now: time.Now, Log: logger.Logger,
		Reader: &trafficmetrics.Reader{Client: prometheus.New(nil), Server: o.target, Now: time.Now},
	}
	logger.Info("serving", "version", version.Version, "prometheus", o.prometheusAddress)
	return s.Serve(ctx, listener)
}

// target reads the files for each request, because kubelets replace them.
func (o options) target() (prometheus.Target, error) {
	roots, err := readOptional(o.prometheusCA)
	if err != nil {
		return prometheus.Target{}, err
	}
	token, err := readOptional(o.tokenAt)
	return prometheus.Target{Address: o.prometheusAddress, Roots: roots, Token: strings.TrimSpace(string(token))}, err
}

// readOptional returns the content of a file, or nothing if it does not exist.
func readOptional(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return content, err
}
