package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// alphaCommand holds what the last versions of OSM had on trial, so that scripts are told what there is instead.
func (a *app) alphaCommand() *cobra.Command {
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Rotate the root certificate of a mesh",
		Long: `Rotates the root certificate of a mesh by a new MeshRootCertificate. This version of the mesh has none, so the command only says
so: the certificates of workloads are renewed without it, and the root is made once, for ten years.`,
		Args: exactly(0, ""),
		RunE: a.run(func(context.Context, []string) error {
			return errors.New("this version of the mesh has no MeshRootCertificate, so its root cannot be rotated by this command: the operator keeps the root in the Secret osm-ca-bundle, and `osm check` says how long it is valid")
		}),
	}
	// OSM's flags, so that what is wrong is the sentence above and not a flag.
	f := rotate.Flags()
	f.StringP("trust-domain", "t", "", "trust domain of the new root")
	f.BoolP("yes", "y", false, "do not ask")
	f.BoolP("delete-old", "d", false, "delete the old MeshRootCertificate")
	f.DurationP("wait", "w", time.Minute, "how long to wait between the steps")
	f.StringP("file", "f", "", "file with the new MeshRootCertificate")
	f.BoolP("confirm", "c", false, "ask before each step")
	parent := group("alpha", "Commands that OSM had on trial", nil, group("certificate", "Manage certificates", nil, rotate))
	parent.Hidden = true
	return parent
}
