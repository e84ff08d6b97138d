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
	"github.com/openservicemesh/osm-operator/hack/internal/imageload"
	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/node"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
	"github.com/openservicemesh/osm-operator/hack/internal/thirdparty"
)

func loadVersionCommand() *cobra.Command {
	return newCommand("load-version [VERSION...]", nil,
		"Build the images of recorded versions from their commits and load them onto the node under the references in their manifests; "+
			"without a version, load the last one before the current one, from which tests upgrade",
		func(cmd *cobra.Command, t *tool, versions []string) error {
			if err := requireLocal(cannotLoad); err != nil {
				return err
			}
			root, err := repo.Root(".")
			if err != nil {
				return err
			}
			if len(versions) == 0 {
				if versions, err = recorded.Versions(root); err != nil {
					return err
				}
				versions = versions[max(0, len(versions)-1):]
			}
			for _, version := range versions {
				if err := t.loadVersion(cmd, root, version); err != nil {
					return err
				}
			}
			return nil
		})
}

// loadVersion loads the images of one version. An image whose digest differs from the recorded one is loaded under the
// recorded reference anyway: on a single-node test cluster that is better than a missing image.
func (t *tool) loadVersion(cmd *cobra.Command, root, version string) error {
	images, err := recorded.Builder{Root: root, Cache: t.builder.Cache.Dir, Report: t.report}.Images(cmd.Context(), version)
	if err != nil {
		return err
	}
	store, inventory, err := t.store(cmd.Context())
	if err != nil {
		return err
	}
	for _, image := range images {
		if !image.IsReproduced() {
			t.report.Printf("%s was built as %s: an input outside the checkout, such as a Debian package, has changed; the image is used anyway",
				image.Reference, image.Built)
		}
		result, err := store.Load(cmd.Context(), inventory, image.Archive, image.Reference)
		if err != nil {
			return err
		}
		t.reportLoaded(result, image.Reference)
	}
	return nil
}

func versionFilesCommand() *cobra.Command {
	return newCommand("version-files VERSION FOLDER", cobra.ExactArgs(2),
		"Write the released files of a recorded version, which install it: install.yaml, chart and bundle",
		func(cmd *cobra.Command, t *tool, args []string) error {
			root, err := repo.Root(".")
			if err != nil {
				return err
			}
			folder, err := filepath.Abs(args[1])
			if err != nil {
				return err
			}
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			return recorded.Builder{Root: root, Cache: t.builder.Cache.Dir, Report: t.report}.WriteFiles(cmd.Context(), args[0], folder)
		})
}

// store opens the node's image store and lists its images.
func (t *tool) store(ctx context.Context) (imageload.Containerd, imageload.Inventory, error) {
	var none imageload.Containerd
	n, err := t.node()
	if err != nil {
		return none, nil, err
	}
	containerd, _, err := t.builder.Cache.Folder(assets.Containerd())
	if err != nil {
		return none, nil, err
	}
	images := n.Images(assets.Set{Containerd: containerd})
	inventory, err := images.Inventory(ctx)
	return images, inventory, err
}

func loadServersCommand() *cobra.Command {
	return newCommand("load-servers NAME...", cobra.MinimumNArgs(1),
		"Build third-party servers if needed and load their images: approver-policy, argo-rollouts, flux, jaeger, kruise, metrics-server, olm, prometheus, prometheus-operator",
		func(cmd *cobra.Command, t *tool, names []string) error {
			var archives []string
			for _, name := range names {
				folder, err := t.builder.Server(cmd.Context(), name)
				if err != nil {
					return err
				}
				found, err := filepath.Glob(filepath.Join(folder, "*.tar"))
				if err != nil {
					return err
				}
				archives = append(archives, found...)
			}
			if yes, err := usesCurrentCluster(); err != nil || yes {
				return err
			}
			return t.load(cmd, archives)
		})
}

func loadOSMCommand() *cobra.Command {
	return newCommand("load-osm", cobra.NoArgs,
		"Build Open Service Mesh v1.2 if needed, load its images with an Envoy, and print the folder of its chart",
		func(cmd *cobra.Command, t *tool, _ []string) error {
			if err := requireLocal(cannotLoad); err != nil {
				return err
			}
			folder, err := t.builder.OSM(cmd.Context())
			if err != nil {
				return err
			}
			archives, err := filepath.Glob(filepath.Join(folder, "*.tar"))
			if err != nil {
				return err
			}
			if err := t.load(cmd, archives); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(folder, assets.OSMChart))
			return err
		})
}

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
