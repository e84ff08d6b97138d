package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func loadVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "load-version [VERSION...]",
		Short: "Build the images of versions that were written down, from their commits, and put them onto the node as their manifests name them; " +
			"without a version, of all but the present one",
		RunE: func(cmd *cobra.Command, versions []string) error {
			t, err := newTool()
			if err != nil {
				return err
			}
			if yes, err := current(); err != nil {
				return err
			} else if yes {
				return fmt.Errorf("CLUSTER=current: images cannot be put onto the nodes of a cluster made elsewhere; push them to a registry it pulls from")
			}
			root, err := repo.Root(".")
			if err != nil {
				return err
			}
			if len(versions) == 0 {
				if versions, err = recorded.Versions(root); err != nil {
					return err
				}
			}
			for _, version := range versions {
				if err := t.loadVersion(cmd, root, version); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// loadVersion loads the images of one version. Those that came out otherwise than they were written down get the written name all
// the same: on this one node that is better than none.
func (t *tool) loadVersion(cmd *cobra.Command, root, version string) error {
	images, err := recorded.Builder{Root: root, Cache: t.builder.Cache.Dir, Report: t.report}.Images(cmd.Context(), version)
	if err != nil {
		return err
	}
	store, have, err := t.store(cmd.Context())
	if err != nil {
		return err
	}
	for _, image := range images {
		if !image.Same() {
			t.report.Say("%s came out as %s: something that is not in the checkout, such as a Debian package, has changed since; it is used here all the same",
				image.Reference, image.Built)
		}
		result, err := store.Load(cmd.Context(), have, image.Archive, image.Reference)
		if err != nil {
			return err
		}
		verb := "loaded"
		if result.Present {
			verb = "already there"
		}
		t.report.Say("%s: %s", verb, image.Reference)
	}
	return nil
}
