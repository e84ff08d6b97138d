package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// kubectlCompletion is the program by which kubectl completes the words of a plugin.
const kubectlCompletion = `#!/bin/sh
# kubectl runs this program, kubectl_complete-osm, to complete the words after "kubectl osm".
exec kubectl osm __complete "$@"`

// addCompletion adds to cobra's completion commands the one for kubectl. All other commands must have been added before.
func (a *app) addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.AddCommand(a.kubectlPluginCommand())
		}
	}
}

func (a *app) kubectlPluginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl-plugin",
		Short: "Generate the program by which kubectl completes \"kubectl osm\"",
		Long: `Generates the program by which kubectl completes the words after "kubectl osm", where this program is on the PATH under the name
kubectl-osm. It must be on the PATH too, under the name kubectl_complete-osm, and kubectl's own completion must be set up.`,
		Example: `  ln -s "$(command -v osm)" ~/bin/kubectl-osm
  osm completion kubectl-plugin > ~/bin/kubectl_complete-osm
  chmod +x ~/bin/kubectl_complete-osm`,
		Args: exactly(0, ""),
		RunE: a.run(func(context.Context, []string) error {
			a.line("%s", kubectlCompletion)
			return nil
		}),
	}
}
