package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Command is one run of a tool.
type Command struct {
	// Dir is the working folder; empty is the current one.
	Dir string
	// Env is added to this process's environment.
	Env []string
	// Args is the program and its arguments.
	Args []string
}

// hermetic keeps the go command from being steered by the user's settings and by a workspace around the module.
var hermetic = []string{"GOFLAGS=", "GOWORK=off"}

// Run waits for the command; its output becomes part of the error when it fails and is dropped otherwise.
func Run(ctx context.Context, c Command) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = slices.Concat(os.Environ(), hermetic, c.Env)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("`%s` failed: %w\n%s", strings.Join(c.Args, " "), err, tail(out.String(), 30))
	}
	return nil
}

// tail returns the last n lines.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
