package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Suite runs the tests of a package with a setup and a teardown.
type Suite struct {
	// SetUp prepares what the tests need. If it fails, the cluster that it returns is described.
	SetUp func(context.Context) (*Cluster, error)
	// FailureMessage is printed if SetUp fails.
	FailureMessage string
	// TearDown removes what SetUp has created; nil keeps it for the next run.
	TearDown func(context.Context) error
	// Out receives the errors of both.
	Out io.Writer
}

// Run runs tests, such as those of a *testing.M, and returns the exit code of the program. An interrupt cancels SetUp.
func (s Suite) Run(tests interface{ Run() int }) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cluster, err := s.SetUp(ctx); err != nil {
		_, _ = fmt.Fprintf(s.Out, "%s: %v\n", s.FailureMessage, err)
		if cluster != nil {
			_, _ = fmt.Fprintln(s.Out, cluster.ControlPlaneLogs(ctx, names.DefaultNamespace))
		}
		return 1
	}
	code := tests.Run()
	if s.TearDown != nil {
		if err := s.TearDown(context.WithoutCancel(ctx)); err != nil {
			_, _ = fmt.Fprintln(s.Out, err)
		}
	}
	return code
}
