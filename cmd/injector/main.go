package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// options holds the values of flags and environment variables, and the addresses of the servers.
type options struct {
	mesh, namespace, trustDomain, revision string
	logLevel, webhookCertDir               string
	webhookClientCA                        string
	xdsHost                                string
	envoyImage, initImage                  string
	webhookAddress, healthAddress          string
}

func main() {
	if err := command().ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	o := options{
		envoyImage: os.Getenv("OSM_DEFAULT_ENVOY_IMAGE"),
		initImage:  os.Getenv("OSM_DEFAULT_INIT_CONTAINER_IMAGE"),

		webhookAddress: fmt.Sprintf(":%d", names.InjectorPort),
		healthAddress:  fmt.Sprintf(":%d", names.HealthPort),
	}
	cmd := &cobra.Command{
		Use:           "osm-injector",
		Short:         "Adds sidecars to the pods of a service mesh",
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.mesh, "mesh-name", names.DefaultMesh, "name of the mesh; namespaces with this label value belong to it")
	flags.StringVar(&o.namespace, "osm-namespace", names.DefaultNamespace, "namespace of the control plane and its MeshConfig")
	flags.StringVar(&o.trustDomain, "trust-domain", names.DefaultTrustDomain, "suffix of workload principals")
	flags.StringVar(&o.revision, "revision", "", "name of the MeshRevision this process is part of")
	flags.StringVar(&o.logLevel, "log-level", "info", "log level until the MeshConfig is read")
	flags.StringVar(&o.webhookClientCA, "webhook-client-ca", "", "PEM certificates of authorities whose clients may connect to the webhook; empty means any client")
	flags.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/etc/osm/webhook", "directory with tls.crt and tls.key of the webhook")
	flags.StringVar(&o.xdsHost, "xds-host", "",
		"host that new sidecars connect to; empty means "+names.Controller+" in the namespace of the control plane")
	return cmd
}
