package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/thirdparty"
)

// thirdPartyCommands returns a command for each of the third-party controllers, with the subcommands up and down.
func thirdPartyCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, c := range thirdparty.All() {
		cmd := &cobra.Command{Use: c.Name, Short: "Install the " + c.Title + " in the cluster, to test " + c.Purpose}
		cmd.AddCommand(
			&cobra.Command{
				Use:   "up",
				Short: "Install the " + c.Title + " and wait for the pods; load-servers loads the images",
				Args:  cobra.NoArgs,
				RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
					k, definitions, err := t.defined(ctx, c.Name)
					if err != nil {
						return err
					}
					return t.report.Run(ctx, "installing the "+c.Title, func(ctx context.Context) error { return c.Install(ctx, k, definitions) })
				}),
			},
			&cobra.Command{
				Use:   "down",
				Short: "Remove the " + c.Title + " with the kinds and all their objects",
				Args:  cobra.NoArgs,
				RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
					k, definitions, err := t.defined(ctx, c.Name)
					if err != nil {
						return err
					}
					return c.Remove(ctx, k, definitions)
				}),
			},
		)
		commands = append(commands, cmd)
	}
	return commands
}

// defined returns kubectl, and the folder with the definitions of a server's kinds; empty if it has none.
func (t *tool) defined(ctx context.Context, name string) (kubectl.Client, string, error) {
	folder, err := t.builder.Server(ctx, name)
	if err != nil {
		return kubectl.Client{}, "", err
	}
	k, err := t.kubectl(ctx)
	definitions := filepath.Join(folder, assets.ServerDefinitions)
	if _, missing := os.Stat(definitions); errors.Is(missing, fs.ErrNotExist) {
		definitions = ""
	}
	return k, definitions, err
}
