package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// kubectlCompletion is the script that kubectl runs to complete the arguments of a plugin.
const kubectlCompletion = `#!/bin/sh
# kubectl runs this script, kubectl_complete-osm, to complete the arguments of "kubectl osm".
exec kubectl osm __complete "$@"`

// addCompletion adds the kubectl completion to cobra's completion commands. It must run after all other commands are added.
func (a *app) addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			cmd.AddCommand(a.kubectlPluginCommand())
			cmd.Args = onlySubcommands
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

func (a *app) kubectlPluginCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl-plugin",
		Short: "Generate the completion script for \"kubectl osm\"",
		Long: `Generate the script that kubectl runs to complete "kubectl osm". Save it as kubectl_complete-osm in a directory of your PATH, next to
the plugin kubectl-osm. Completion for kubectl itself must be set up.`,
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
