package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// Suite is what goes around the tests of a package.
type Suite struct {
	// SetUp makes what the tests need. The cluster that it returns, also with an error, is described when it fails.
	SetUp func(context.Context) (*Cluster, error)
	// Impossible says what cannot be done when that fails.
	Impossible string
	// TearDown takes away what SetUp has made; nil leaves it to whoever comes next.
	TearDown func(context.Context) error
	// Out is where failures of both are told.
	Out io.Writer
}

// Run runs tests, such as those of a *testing.M, and returns the exit code of the program. An interrupt ends what is being set up.
func (s Suite) Run(tests interface{ Run() int }) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if cluster, err := s.SetUp(ctx); err != nil {
		_, _ = fmt.Fprintf(s.Out, "%s: %v\n", s.Impossible, err)
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
