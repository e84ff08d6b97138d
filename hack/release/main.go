package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run records the release.
func run(ctx context.Context) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	version, err := os.ReadFile(filepath.Join(root, "VERSION"))
	if err != nil {
		return err
	}
	changed, err := output(ctx, root, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		return fmt.Errorf("the checkout has uncommitted changes, so this version could not be reproduced:\n%s", changed)
	}
	commit, err := output(ctx, root, "git", "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if err := runVisibly(ctx, filepath.Join(root, "hack"), "go", "run", "./images"); err != nil {
		return err
	}
	return runVisibly(ctx, root, "go", "run", "./internal/operand/freeze", "-version", strings.TrimSpace(string(version)), "-commit", commit)
}

// output runs a program and returns its standard output.
func output(ctx context.Context, folder, name string, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir, command.Stderr = folder, os.Stderr
	printed, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s failed: %w", name, strings.Join(arguments, " "), err)
	}
	return strings.TrimSpace(string(printed)), nil
}

// runVisibly runs a program with its output on the terminal.
func runVisibly(ctx context.Context, folder, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir, command.Stdout, command.Stderr = folder, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s %s failed: %w", name, strings.Join(arguments, " "), err)
	}
	return nil
}
