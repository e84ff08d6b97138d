package steps

import (
	"context"
	"io"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	survey "github.com/openservicemesh/osm-operator/internal/cli/takeover"
)

// Terminal asks and informs a user.
type Terminal interface {
	// Confirm asks a question, unless skip is set.
	Confirm(skip bool, question string) (bool, error)
	// Line prints a result, and Note a message. Report prints what a command waits for, and Elapsed is for how long it runs.
	Line(format string, args ...any)
	Note(format string, args ...any)
	Report(format string, args ...any)
	Elapsed() string
	// Notes receives longer messages.
	Notes() io.Writer
	// Sentence rewrites an error of a client for users.
	Sentence(err error) error
}

// Session is one run of a command. All fields are required, except From.
type Session struct {
	Terminal
	Client client.Client
	// From is the namespace of the Open Service Mesh, empty for any.
	From string
	// Now is the clock, and PollInterval how often objects are read while a command waits.
	Now          func() time.Time
	PollInterval time.Duration
	// Survey surveys the cluster for a takeover.
	Survey func(context.Context) (*survey.Report, error)
	// Unserved returns the number of sidecars of the Open Service Mesh that a mesh does not serve.
	Unserved func(ctx context.Context, mesh string) (int, error)
}

// Options are the flags of the commands.
type Options struct {
	// To is the last step.
	To string
	// Yes skips questions.
	Yes bool
	// Timeout limits the wait for each step.
	Timeout time.Duration
	// Bridge is how long the Mesh serves sidecars of the Open Service Mesh; 0 for not at all.
	Bridge time.Duration
}

// Check returns an error for an invalid flag.
func (o Options) Check() error {
	if _, err := parseStep(o.To); err != nil {
		return err
	}
	return checkBridge(o.Bridge)
}
