package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/internal/injector"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

func main() {
	config := injector.Config{
		EnvoyImage: os.Getenv("OSM_DEFAULT_ENVOY_IMAGE"), InitImage: os.Getenv("OSM_DEFAULT_INIT_CONTAINER_IMAGE"),
		WebhookAddress: fmt.Sprintf(":%d", names.InjectorPort), HealthAddress: fmt.Sprintf(":%d", names.HealthPort),
	}
	if err := command(&config).ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// command returns the command, whose flags set config.
func command(config *injector.Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "osm-injector",
		Short:         "Adds sidecars to the pods of a service mesh",
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := injector.New(*config)
			if err != nil {
				return err
			}
			return program.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&config.Mesh, "mesh-name", names.DefaultMesh, "name of the mesh; namespaces with this label value belong to it")
	flags.StringVar(&config.Namespace, "osm-namespace", names.DefaultNamespace, "namespace of the control plane and its MeshConfig")
	flags.StringVar(&config.TrustDomain, "trust-domain", names.DefaultTrustDomain, "suffix of workload principals")
	flags.StringVar(&config.Revision, "revision", "", "name of the MeshRevision this process is part of")
	flags.StringVar(&config.LogLevel, "log-level", "info", "log level until the MeshConfig is read")
	flags.StringVar(&config.WebhookClientCA, "webhook-client-ca", "", "PEM certificates of authorities whose clients may connect to the webhook; empty means any client")
	flags.StringVar(&config.WebhookCertDir, "webhook-cert-dir", "/etc/osm/webhook", "directory with tls.crt and tls.key of the webhook")
	flags.BoolVar(&config.InPlace, "in-place", false, "give pods two slots, so that the sidecar can be upgraded while the application runs")
	flags.DurationVar(&config.DrainBound, "drain-bound", 0, "when a slot cuts the connections of an earlier Envoy; 0 means an hour")
	flags.IntVar(&config.SlotsLevel, "slots-level", 0, "level of pods with two slots, in an annotation; those of another level need more than new images to be upgraded")
	flags.StringVar(&config.Sidecar, "sidecar", "", "what new pods get instead of what the MeshConfig has, as JSON of the operator; empty means what the MeshConfig has")
	flags.StringVar(&config.XDSHost, "xds-host", "",
		"host that new sidecars connect to; empty means "+names.Controller+" in the namespace of the control plane")
	return cmd
}
