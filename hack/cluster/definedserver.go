package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/flux"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/olm"
	"github.com/openservicemesh/osm-operator/hack/internal/prometheusoperator"
)

// definedServer is a third-party server with kinds of its own, whose images are loaded before.
type definedServer struct {
	// name is that of the command and of the server, and title what texts call it.
	name, title string
	// purpose is why it is installed.
	purpose         string
	install, remove func(ctx context.Context, k kubectl.Client, definitions string) error
}

func prometheusOperatorCommand() *cobra.Command {
	return definedServer{"prometheus-operator", "prometheus-operator", "the objects for it", prometheusoperator.Install, prometheusoperator.Remove}.command()
}

func fluxCommand() *cobra.Command {
	return definedServer{"flux", "controllers of Flux", "a mesh in Git", flux.Install, flux.Remove}.command()
}

func olmCommand() *cobra.Command {
	return definedServer{"olm", "Operator Lifecycle Manager", "the bundle", olm.Install, olm.Remove}.command()
}

// command installs and removes the server.
func (s definedServer) command() *cobra.Command {
	cmd := &cobra.Command{Use: s.name, Short: "Install the " + s.title + " in the cluster, to test " + s.purpose}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "up",
			Short: "Install the " + s.title + " and wait until it runs; its images must be loaded",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, definitions, err := t.defined(ctx, s.name)
				if err != nil {
					return err
				}
				return t.report.Run(ctx, "installing the "+s.title, func(ctx context.Context) error { return s.install(ctx, k, definitions) })
			}),
		},
		&cobra.Command{
			Use:   "down",
			Short: "Remove the " + s.title + " with its kinds and all their objects",
			Args:  cobra.NoArgs,
			RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, definitions, err := t.defined(ctx, s.name)
				if err != nil {
					return err
				}
				return s.remove(ctx, k, definitions)
			}),
		},
	)
	return cmd
}

// defined returns kubectl, and the folder with the definitions of a server's kinds.
func (t *tool) defined(ctx context.Context, name string) (kubectl.Client, string, error) {
	folder, err := t.builder.Server(ctx, name)
	if err != nil {
		return kubectl.Client{}, "", err
	}
	k, err := t.kubectl(ctx)
	return k, filepath.Join(folder, assets.ServerDefinitions), err
}
