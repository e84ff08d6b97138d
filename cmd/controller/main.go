package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/controllers/controlplane"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

func main() {
	config := controlplane.Config{PodName: os.Getenv("CONTROLLER_POD_NAME"), Addresses: controlplane.DefaultAddresses()}
	if err := command(&config).ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// command returns the command, whose flags set config.
func command(config *controlplane.Config) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "osm-controller",
		Short:         "The control plane of a service mesh",
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plane, err := controlplane.New(*config)
			if err != nil {
				return err
			}
			return plane.Run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&config.Mesh, "mesh-name", names.DefaultMesh, "name of the mesh; namespaces with this label value belong to it")
	flags.StringVar(&config.Namespace, "osm-namespace", names.DefaultNamespace, "namespace of the control plane and its MeshConfig")
	flags.StringVar(&config.TrustDomain, "trust-domain", names.DefaultTrustDomain, "suffix of workload principals")
	flags.StringVar(&config.Revision, "revision", "", "name of the MeshRevision this process is part of")
	flags.StringVar(&config.LogLevel, "log-level", "info", "log level until the MeshConfig is read")
	flags.StringVar(&config.CADir, "ca-dir", "/etc/osm/ca", "directory with ca.crt and private.key")
	flags.StringVar(&config.WebhookClientCA, "webhook-client-ca", "", "PEM certificates of authorities whose clients may connect to the webhook; empty means any client")
	flags.StringVar(&config.WebhookCertDir, "webhook-cert-dir", "/etc/osm/webhook", "directory with tls.crt and tls.key of the validating webhook")
	flags.StringVar((*string)(&config.Key.Algorithm), "cert-key-algorithm", string(certificate.ECDSA), "kind of workload keys: ECDSA or RSA")
	flags.IntVar(&config.Key.Bits, "cert-key-size", 0, "size of workload keys in bits; 0 means the default of the kind")
	flags.StringVar(&config.BridgeUntil, "bridge-until", "", "time until which sidecars of Open Service Mesh are served, in the format of RFC 3339; empty serves none")
	flags.BoolVar(&config.WriteStatus, "write-status", true,
		"write status and Events of policies, one replica at a time; set to false for a canary control plane")
	return cmd
}
