package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Command is one run of a tool.
type Command struct {
	// Dir is the working folder; empty means the current one.
	Dir string
	// Env is added to the environment of this process.
	Env []string
	// Args is the program and its arguments.
	Args []string
}

// hermeticEnv makes the go command ignore the user's flags and any workspace around the module.
var hermeticEnv = []string{"GOFLAGS=", "GOWORK=off"}

// Run runs the command to completion. A failure's error contains the end of the output; otherwise the output is
// dropped.
func Run(ctx context.Context, c Command) error {
	_, err := Output(ctx, c)
	return err
}

// Output runs the command to completion and returns its standard output. A failure's error contains the end of all
// output.
func Output(ctx context.Context, c Command) (string, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = slices.Concat(os.Environ(), hermeticEnv, c.Env)
	var all, out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&all, &out), &all
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("`%s` failed: %w\n%s", strings.Join(c.Args, " "), err, tail(all.String(), 30))
	}
	return out.String(), nil
}

// tail returns the last n lines.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
