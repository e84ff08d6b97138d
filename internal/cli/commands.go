package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// commands returns all commands in the order of the help text.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.versionCommand(),
		a.envCommand(),
		a.meshCommand(),
		a.namespaceCommand(),
		a.metricsCommand(),
		a.installCommand(),
		a.uninstallCommand(),
		a.statusCommand(),
		a.describeCommand(),
		a.explainCommand(),
		a.planCommand(),
		a.analyzeCommand(),
		a.policyCommand(),
		a.proxyCommand(),
		a.certificatesCommand(),
		a.bundleCommand(),
		a.dashboardCommand(),
		a.statCommand(),
		a.topCommand(),
		a.tapCommand(),
		a.waitCommand(),
		a.checkCommand(),
		a.supportCommand(),
		a.verifyCommand(),
		a.alphaCommand(),
	}
}

// group returns a command that only has subcommands.
func group(use, short string, aliases []string, children ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{
		Use: use, Short: short, Aliases: aliases,
		Args: onlySubcommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	parent.AddCommand(children...)
	return parent
}

// onlySubcommands rejects arguments of a command that only has subcommands.
func onlySubcommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		return fmt.Errorf("unknown command %q for %q: did you mean %s?", args[0], cmd.CommandPath(), strings.Join(similar, " or "))
	}
	return fmt.Errorf("unknown command %q for %q: see `%s --help`", args[0], cmd.CommandPath(), cmd.CommandPath())
}

// explainFlagError adds the correction to an error of a flag.
func explainFlagError(cmd *cobra.Command, err error) error {
	if strings.Contains(err.Error(), ": time: ") {
		return fmt.Errorf("%w: write a number with a unit, such as 30s or 5m", err)
	}
	return fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())
}

// atLeast requires at least n arguments. what describes the argument in the error.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return fmt.Errorf("missing %s: usage: `%s`", what, cmd.UseLine())
		}
		return nil
	}
}

// exactly requires n arguments. what describes the argument in the error.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("unexpected argument %q: usage: `%s`", args[n], cmd.UseLine())
		}
		return atLeast(n, what)(cmd, args)
	}
}
