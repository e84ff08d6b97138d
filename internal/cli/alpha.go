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
		Long: `Rotate the root certificate of a mesh. This version has no MeshRootCertificate and the command always fails. Set
spec.certificates.rotateRoot of the Mesh instead: each new value replaces the root without failed calls.`,
		Args: exactly(0, ""),
		RunE: a.run(func(context.Context, []string) error {
			return errors.New(`this version has no MeshRootCertificate: to rotate the root, set spec.certificates.rotateRoot of the Mesh to a new value`)
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
