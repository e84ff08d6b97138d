package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
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

// run adapts a command's function to cobra. It rewrites client errors for users and reports progress while the command runs.
func (a *app) run(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		defer a.progress().live()()
		return a.kube.Sentence(do(cmd.Context(), args))
	}
}

// New returns the osm command. now is the clock, and env reads an environment variable.
func New(streams Streams, now func() time.Time, env func(string) string) *cobra.Command {
	streams = streams.printable()
	a := &app{Streams: streams, kube: kube.NewFlags(streams.Err), now: now, env: env}
	root := &cobra.Command{
		Use:   "osm",
		Short: "Install, manage and debug Open Service Mesh",
		Long: `osm installs Open Service Mesh, manages the namespaces of a mesh, and explains which workloads may call each other.

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
	a.addCompletion(root)
	return root
}
