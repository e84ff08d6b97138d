package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// gracePeriod is how long a program may take to exit after SIGTERM, so that it can stop its own children.
const gracePeriod = 20 * time.Second

// newCommand returns a command whose process group gets SIGTERM when the context ends, and SIGKILL after the grace
// period.
func newCommand(ctx context.Context, c command, env []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = gracePeriod
	return cmd
}

// killGroup kills the remaining processes of a command's process group. An empty group is no error.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// runPlain runs a command and returns its output.
func runPlain(ctx context.Context, c command, env []string) (string, error) {
	cmd := newCommand(ctx, c, env)
	defer killGroup(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("`%s` failed: %w", strings.Join(c.args, " "), causeOf(ctx, err))
	}
	return out.String(), nil
}

// runGoTest runs a command that prints the events of go test into a tally, and prints a line per finished package.
func runGoTest(ctx context.Context, c command, env []string, t *tally, progress io.Writer) error {
	cmd := newCommand(ctx, c, env)
	defer killGroup(cmd)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := readEvents(stdout, t, progress)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return causeOf(ctx, err)
	}
	if readErr != nil {
		return readErr
	}
	if err != nil && t.counts().failed == 0 {
		return fmt.Errorf("`%s` failed without a failing test: %w\n%s", strings.Join(c.args[:4], " "), err, stderr.String())
	}
	return nil
}

// readEvents reads lines until EOF. Lines that are not events are printed.
func readEvents(r io.Reader, t *tally, progress io.Writer) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil:
			fmt.Fprintf(progress, "  %s", line)
		case t.add(e):
			fmt.Fprintf(progress, "  %-5s %s  %.1fs\n", e.Action, e.Package, e.Elapsed)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// errTimeLimitExceeded is the cause of a context whose suite exceeded its time limit.
var errTimeLimitExceeded = errors.New("it exceeded its time limit in hack/budget.yaml")

// causeOf returns the cause of an ended context instead of the error of the program that was killed for it.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
