package steps

import (
	"context"
	"io"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	survey "github.com/openservicemesh/osm-operator/internal/cli/takeover"
)

// Terminal asks and informs a user.
type Terminal struct {
	// Confirm asks a question, unless skip is set.
	Confirm func(skip bool, question string) (bool, error)
	// Line prints a result, Note a message, and Report what a command waits for.
	Line, Note, Report func(format string, args ...any)
	// Elapsed is for how long the command runs.
	Elapsed func() string
	// Notes receives longer messages.
	Notes io.Writer
	// Sentence rewrites an error of a client for users.
	Sentence func(error) error
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
