package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// alphaCommand accepts OSM's alpha commands, so that scripts get an explanation instead of an unknown command.
func (a *app) alphaCommand() *cobra.Command {
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Rotate the root certificate of a mesh",
		Long: `Rotate the root certificate of a mesh. This version does not support root rotation and the command always fails.
The operator creates the root certificate once, valid for ten years. Workload certificates are renewed automatically.`,
		Args: exactly(0, ""),
		RunE: a.run(func(context.Context, []string) error {
			return errors.New("root certificate rotation is not supported: this version has no MeshRootCertificate; run `osm check` to see how long the root certificate in the Secret osm-ca-bundle is valid")
		}),
	}
	// OSM's flags are accepted, so that the command fails with the explanation above and not with an unknown flag.
	f := rotate.Flags()
	f.StringP("trust-domain", "t", "", "trust domain of the new root")
	f.BoolP("yes", "y", false, "skip the confirmation prompt")
	f.BoolP("delete-old", "d", false, "delete the old MeshRootCertificate")
	f.DurationP("wait", "w", time.Minute, "time to wait between steps")
	f.StringP("file", "f", "", "file that contains the new MeshRootCertificate")
	f.BoolP("confirm", "c", false, "ask for confirmation before each step")
	parent := group("alpha", "Commands in alpha", nil, group("certificate", "Manage certificates", nil, rotate))
	parent.Hidden = true
	return parent
}
