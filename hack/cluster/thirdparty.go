package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/thirdparty"
)

// thirdPartyCommands returns a command for each of the third-party programs, with the subcommands up and down, and build for some.
func thirdPartyCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, c := range thirdparty.All() {
		cmd := &cobra.Command{Use: c.Name, Short: c.Short}
		cmd.AddCommand(
			&cobra.Command{Use: "up", Short: c.Up, Args: cobra.NoArgs, RunE: localOnly(func(ctx context.Context, t *tool, n *node.Node) error {
				return t.install(ctx, n, c)
			})},
			&cobra.Command{Use: "down", Short: c.Down, Args: cobra.NoArgs, RunE: localOnly(func(ctx context.Context, t *tool, _ *node.Node) error {
				k, folder, err := t.program(ctx, c.Name)
				if err != nil {
					return err
				}
				return c.Remove(ctx, k, definitions(folder))
			})},
		)
		if c.Built {
			cmd.AddCommand(&cobra.Command{Use: "build", Short: "Build " + c.Title + " if needed", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
				t, err := newTool()
				if err == nil {
					_, err = t.build(cmd.Context(), c.Name)
				}
				return err
			}})
		}
		commands = append(commands, cmd)
	}
	return commands
}

func (t *tool) install(ctx context.Context, n *node.Node, c thirdparty.Controllers) error {
	k, folder, err := t.program(ctx, c.Name)
	if err != nil {
		return err
	}
	if c.Loaded {
		set, err := t.builder.All(ctx)
		if err != nil {
			return err
		}
		if _, err := n.Images(set).Load(ctx, nil, filepath.Join(folder, c.Name+".tar")); err != nil {
			return err
		}
	}
	return t.report.Run(ctx, "installing "+c.Title, func(ctx context.Context) error { return c.Install(ctx, k, definitions(folder)) })
}

// program builds a third-party program and returns kubectl and the folder with its images and definitions.
func (t *tool) program(ctx context.Context, name string) (kubectl.Client, string, error) {
	folder, err := t.build(ctx, name)
	if err != nil {
		return kubectl.Client{}, "", err
	}
	programs, err := t.builder.KubernetesOnly(ctx)
	return kubectl.Client{Path: filepath.Join(programs, "kubectl"), Kubeconfig: t.state.Kubeconfig()}, folder, err
}

// build builds a third-party program if needed, and returns its folder.
func (t *tool) build(ctx context.Context, name string) (string, error) {
	switch name {
	case "cert-manager":
		return t.builder.CertManager(ctx)
	case "vault":
		return t.builder.Vault(ctx)
	}
	return t.builder.Server(ctx, name)
}

// definitions returns the folder with the definitions of a program's kinds; empty if it has none.
func definitions(folder string) string {
	found := filepath.Join(folder, assets.Definitions)
	if _, err := os.Stat(found); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return found
}

func persesCommand() *cobra.Command {
	return newCommand("perses-path", cobra.NoArgs,
		"Build Perses if needed and print the folder with its server and plugins",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			folder, err := t.builder.Perses(cmd.Context())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), folder)
			}
			return err
		})
}
