package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Repository is the root folder of a checkout.
type Repository string

// FindRepository returns the checkout that contains the working directory.
func FindRepository() (Repository, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "go.mod")); err == nil {
			return Repository(dir), nil
		}
	}
	return "", errors.New("the working directory is not inside a checkout of the project: change into one")
}

// Path returns a path below the root.
func (r Repository) Path(elements ...string) string {
	return filepath.Join(append([]string{string(r)}, elements...)...)
}

// Tool runs a developer tool of hack/, such as "./cluster up", and prints its progress to out.
func (r Repository) Tool(ctx context.Context, out io.Writer, args ...string) error {
	cmd := r.command(ctx, args)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("hack/%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// ToolOutput runs a developer tool of hack/ and returns its standard output.
func (r Repository) ToolOutput(ctx context.Context, args ...string) (string, error) {
	cmd := r.command(ctx, args)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("hack/%s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (r Repository) command(ctx context.Context, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, "go", append([]string{"run", "-C", r.Path("hack")}, args...)...)
}
