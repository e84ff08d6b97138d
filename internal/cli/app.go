package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/printable"
)

// Streams are the input and outputs of a command.
type Streams struct {
	In io.Reader
	// Out receives data. Err receives notes, progress and errors.
	Out, Err io.Writer
}

// printable returns streams whose outputs carry no escape sequences. Commands print text that sidecars and other users chose.
func (s Streams) printable() Streams {
	return Streams{In: s.In, Out: printable.Writer{Inner: s.Out}, Err: printable.Writer{Inner: s.Err}}
}

// app holds what all commands share.
type app struct {
	Streams
	kube *kube.Flags
	now  func() time.Time
	// env reads an environment variable.
	env      func(string) string
	settings settings
	// shown is the progress of the running command. It is nil before the first progress message.
	shown *progress
}

// note prints a message for users to standard error.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }

// line prints a line of data to standard output.
func (a *app) line(format string, args ...any) { fmt.Fprintf(a.Out, format+"\n", args...) }

// run adapts a command's function to cobra. It checks the output flag, rewrites client errors for users and reports progress while the command runs.
func (a *app) run(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if err := output.Check(cmd.Flags()); err != nil {
			return err
		}
		defer a.progress().live()()
		return a.kube.Sentence(do(cmd.Context(), args))
	}
}

// runInNamespace is run for a function that needs the namespace of -n, or that of the kubeconfig.
func (a *app) runInNamespace(do func(ctx context.Context, namespace string, args []string) error) func(*cobra.Command, []string) error {
	return a.run(func(ctx context.Context, args []string) error {
		namespace, err := a.kube.Namespace()
		if err != nil {
			return err
		}
		return do(ctx, namespace, args)
	})
}

// runWithClient is run for a function that needs a client.
func (a *app) runWithClient(do func(ctx context.Context, c client.Client, args []string) error) func(*cobra.Command, []string) error {
	return a.run(func(ctx context.Context, args []string) error {
		c, err := a.kube.Client()
		if err != nil {
			return err
		}
		return do(ctx, c, args)
	})
}

// New returns the osm command. now is the clock, and env reads an environment variable.
func New(streams Streams, now func() time.Time, env func(string) string) *cobra.Command {
	streams = streams.printable()
	a := &app{Streams: streams, kube: kube.NewFlags(streams.Err), now: now, env: env}
	root := &cobra.Command{
		Use:   "osm",
		Short: "Install, manage and debug a service mesh with the API of Open Service Mesh",
		Long: `osm installs a service mesh with the API of Open Service Mesh, manages its namespaces, and explains which workloads may call each other.

osm uses your kubeconfig, like kubectl. To use it as "kubectl osm", add it to the PATH as kubectl-osm.
Data is printed to standard output; notes, progress and errors to standard error. Exit codes:

` + exitCodes(),
		Args:          onlySubcommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(explainFlagError)
	var settingsErr error
	if a.settings, settingsErr = loadSettings(env); settingsErr != nil {
		// Help and completion work without valid settings.
		root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
			if !cmd.HasParent() {
				return nil
			}
			return settingsErr
		}
	}
	if namespace := a.settings.Install.Namespace; namespace != "" {
		a.kube.OSMNamespace = namespace
	}
	a.kube.AddTo(root.PersistentFlags())
	root.AddCommand(a.commands()...)
	rejectArguments(root)
	a.addCompletion(root)
	return root
}

// Exit codes.
const (
	// exitFailed means an error, or a failed check or test.
	exitFailed = 1
	// exitNo means that the command succeeded and its answer is no.
	exitNo = 2
)

// Exits lists the exit codes of all commands, in order.
var Exits = []struct {
	Code  int
	Means string
}{
	{0, "success, or the answer is yes"},
	{exitFailed, "error, or a check or test failed"},
	{exitNo, "the answer is no (explain), something would change (plan, mesh plan) or break (certificates check), or is not translated (translate)"},
}

// exitCodes returns the exit codes for the help text.
func exitCodes() string {
	var lines []string
	for _, e := range Exits {
		lines = append(lines, fmt.Sprintf("  %d  %s", e.Code, e.Means))
	}
	return strings.Join(lines, "\n")
}

// silent is an error whose message has already been printed.
type silent struct{ code int }

func (s silent) Error() string { return "failed" }

// exitIf returns err, or the exit code of an answer that is printed already, if the condition is true.
func exitIf(condition bool, code int, err error) error {
	if err == nil && condition {
		return silent{code}
	}
	return err
}

// timedOut replaces an error that means that the time is over by a message.
func timedOut(err error, format string, args ...any) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("timed out: "+format, args...)
	}
	return err
}

// Run runs the command line and returns the exit code. program is the name of the executable. Libraries do not log.
func Run(ctx context.Context, program string, args []string, streams Streams) int {
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	root := New(streams, time.Now, os.Getenv)
	if strings.HasPrefix(filepath.Base(program), "kubectl-") {
		root.Annotations[cobra.CommandDisplayNameAnnotation] = "kubectl osm"
	}
	root.SetArgs(args)
	return exitCode(root.ExecuteContext(ctx), streams.printable().Err)
}

func exitCode(err error, w io.Writer) int {
	var printed silent
	switch {
	case err == nil:
		return 0
	case errors.As(err, &printed):
		return printed.code
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "Error: interrupted.")
		return exitFailed
	}
	text := strings.TrimSpace(err.Error())
	if text != "" && !strings.ContainsAny(text[len(text)-1:], ".:?!`\"") {
		text += "."
	}
	fmt.Fprintln(w, "Error: "+text)
	return exitFailed
}

// commands returns all commands in the order of the help text.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.versionCommand(),
		a.envCommand(),
		group("mesh", "Manage meshes", nil, a.meshListCommand(), a.meshPlanCommand(), a.meshUpgradeCommand()),
		a.namespaceCommand(),
		a.metricsCommand(),
		a.installCommand(),
		a.uninstallCommand(),
		a.migrateCommand(),
		a.statusCommand(),
		group("describe", "Show what the mesh does for a pod", nil, a.describePodCommand()),
		a.explainCommand(),
		a.planCommand(),
		a.analyzeCommand(),
		a.translateCommand(),
		group("policy", "Check and test policies", nil, a.checkPodsCommand(), a.checkConflictsCommand(), a.policyTestCommand()),
		a.proxyCommand(),
		a.certificatesCommand(),
		a.peerCommand(),
		group("bundle", "Prepare clusters without access to public registries", nil, a.bundleImagesCommand()),
		a.dashboardCommand(),
		a.statCommand(),
		a.topCommand(),
		a.tapCommand(),
		a.waitCommand(),
		a.checkCommand(),
		group("support", "Collect diagnostics and explain errors", nil, a.errorInfoCommand(), a.bugReportCommand()),
		a.verifyCommand(),
		// OSM has these commands below alpha.
		group("alpha", "Commands in alpha", nil, group("certificate", "Manage certificates", nil, a.rotateCommand())),
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

// rejectArguments makes arguments an error for all commands that declare none.
func rejectArguments(cmd *cobra.Command) {
	if cmd.Args == nil {
		cmd.Args = exactly(0, "")
	}
	for _, child := range cmd.Commands() {
		rejectArguments(child)
	}
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

// atMostOne allows a single argument.
func atMostOne(cmd *cobra.Command, args []string) error {
	return exactly(min(len(args), 1), "")(cmd, args)
}

// proseWidth is the longest line of a description.
const proseWidth = 126

// wrapped breaks a paragraph into lines.
func wrapped(paragraph string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(paragraph) {
		if line != "" && len(line)+1+len(word) > proseWidth {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}

// enumerated joins at least two texts with commas, and the last one with a conjunction.
func enumerated(texts []string, conjunction string) string {
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " " + conjunction + " " + texts[last]
}
