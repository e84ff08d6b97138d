package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/images"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

func (a *app) bundleCommand() *cobra.Command {
	return group("bundle", "Prepare clusters without access to public registries", nil, a.bundleImagesCommand())
}

func (a *app) bundleImagesCommand() *cobra.Command {
	var form output.Flag
	var mirror string
	var patch bool
	cmd := &cobra.Command{
		Use:   "images",
		Short: "List the images that a mesh can need",
		Long: `List the images of the operator, of the mesh in the version of this program, and of the earlier versions that the operator can
install. Each has the variable of the operator's Deployment, and the field of the Mesh, that replaces it. Images of servers are
needed only by meshes that run them. No cluster is needed.

With --mirror, print a line SOURCE=TARGET per image, as "oc image mirror -f" reads it. With --patch, print a patch of the operator's
Deployment instead, with which the operator and its meshes use the mirror.`,
		Example: `  osm bundle images
  osm bundle images --mirror registry.example.com/osm > mirror.txt
  osm bundle images --mirror registry.example.com/osm --patch > patch.yaml`,
	}
	cmd.RunE = a.run(func(context.Context, []string) error {
		if err := form.Check(); err != nil {
			return err
		}
		if patch && mirror == "" {
			return errors.New("--patch requires --mirror: give the registry that has the images")
		}
		if strings.Contains(mirror, "://") {
			return fmt.Errorf("invalid --mirror %s: write the registry without a scheme, such as registry.example.com/osm", mirror)
		}
		all, err := images.List(mirror)
		if err != nil {
			return err
		}
		if patch {
			return a.printImagePatch(all)
		}
		if mirror != "" && form.ForPeople() {
			for _, image := range all {
				a.line("%s=%s", image.Source, image.Target)
			}
			return nil
		}
		return form.Print(a.Out, imageTable(all))
	})
	form.AddTo(cmd.Flags())
	cmd.Flags().StringVar(&mirror, "mirror", "", "registry, with an optional path, that the images are copied to")
	cmd.Flags().BoolVar(&patch, "patch", false, "print a patch of the operator's Deployment")
	return cmd
}

func (a *app) printImagePatch(all []images.Image) error {
	text, err := images.Patch(all)
	if err != nil {
		return err
	}
	fmt.Fprint(a.Out, string(text))
	return nil
}

func imageTable(all []images.Image) output.Result {
	return output.List(all, all, output.Columns("IMAGE", "VERSION", "VARIABLE", "FIELD"), func(image images.Image) (string, []string) {
		return image.Source, []string{image.Source, image.Version, image.Variable, image.Field}
	})
}
