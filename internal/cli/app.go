package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/kube"
)

// Streams are where a command reads from and writes to.
type Streams struct {
	In io.Reader
	// Out takes data, Err takes notes and errors.
	Out, Err io.Writer
}

// app is what all commands share.
type app struct {
	Streams
	kube *kube.Flags
	now  func() time.Time
	// env reads an environment variable.
	env      func(string) string
	settings settings
	// shown is what a running command tells about its progress; nil before it tells anything.
	shown *progress
}

// note tells people something that is not data.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }

// line writes a line of data.
func (a *app) line(format string, args ...any) { fmt.Fprintf(a.Out, format+"\n", args...) }

// run makes what cobra calls of a command's function: errors of clients become sentences, and what takes long says so.
func (a *app) run(do func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		defer a.progress().live()()
		return a.kube.Sentence(do(cmd.Context(), args))
	}
}

// New makes the command osm. now is the clock and env reads the environment.
func New(streams Streams, now func() time.Time, env func(string) string) *cobra.Command {
	a := &app{Streams: streams, kube: kube.NewFlags(streams.Err), now: now, env: env}
	root := &cobra.Command{
		Use:   "osm",
		Short: "Install, look into and steer Open Service Mesh",
		Long: `osm installs meshes, puts namespaces into them, and answers who may call whom, and why.

It works on the cluster of your kubeconfig, as kubectl does. Called kubectl-osm on the PATH, it is "kubectl osm".
Data goes to the standard output and everything else to the standard error. Exit codes:

` + exitCodes(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Annotations:   map[string]string{},
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	var broken error
	if a.settings, broken = loadSettings(env); broken != nil {
		// Help and completion work all the same.
		root.PersistentPreRunE = func(*cobra.Command, []string) error { return broken }
	}
	if namespace := a.settings.Install.Namespace; namespace != "" {
		a.kube.OSMNamespace = namespace
	}
	a.kube.AddTo(root.PersistentFlags())
	root.AddCommand(a.commands()...)
	a.addCompletion(root)
	return root
}
