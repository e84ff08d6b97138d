package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// options holds the values of the flags.
type options struct {
	mesh, namespace, trustDomain, revision string
	logLevel                               string
	caDir, webhookCertDir                  string
	webhookClientCA                        string
	key                                    certificate.KeySpec
	writeStatus                            bool
}

func main() {
	if err := command(&options{}).ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// command returns the command, whose flags set o.
func command(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:           "osm-controller",
		Short:         "The control plane of a service mesh",
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), *o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.mesh, "mesh-name", names.DefaultMesh, "name of the mesh; namespaces with this label value belong to it")
	flags.StringVar(&o.namespace, "osm-namespace", names.DefaultNamespace, "namespace of the control plane and its MeshConfig")
	flags.StringVar(&o.trustDomain, "trust-domain", names.DefaultTrustDomain, "suffix of workload principals")
	flags.StringVar(&o.revision, "revision", "", "name of the MeshRevision this process is part of")
	flags.StringVar(&o.logLevel, "log-level", "info", "log level until the MeshConfig is read")
	flags.StringVar(&o.caDir, "ca-dir", "/etc/osm/ca", "directory with ca.crt and private.key")
	flags.StringVar(&o.webhookClientCA, "webhook-client-ca", "", "PEM certificates of authorities whose clients may connect to the webhook; empty means any client")
	flags.StringVar(&o.webhookCertDir, "webhook-cert-dir", "/etc/osm/webhook", "directory with tls.crt and tls.key of the validating webhook")
	flags.StringVar((*string)(&o.key.Algorithm), "cert-key-algorithm", string(certificate.ECDSA), "kind of workload keys: ECDSA or RSA")
	flags.IntVar(&o.key.Bits, "cert-key-size", 0, "size of workload keys in bits; 0 means the default of the kind")
	flags.BoolVar(&o.writeStatus, "write-status", true,
		"write status and Events of policies, one replica at a time; set to false for a canary control plane")
	return cmd
}
