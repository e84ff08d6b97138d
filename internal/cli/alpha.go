package cli

import "github.com/spf13/cobra"

// alphaCommand has OSM's alpha commands under their old names.
func (a *app) alphaCommand() *cobra.Command {
	return group("alpha", "Commands in alpha", nil, group("certificate", "Manage certificates", nil, a.rotateCommand()))
}
