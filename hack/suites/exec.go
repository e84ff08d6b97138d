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

// grace is how long a program has to end after it was asked to, so that it can stop what it started.
const grace = 20 * time.Second

// start makes a command whose whole process group is asked to end, and killed after the grace, when the context ends.
func start(ctx context.Context, c command, env []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd
}

// finish kills what is left of a command's process group; an empty group is no error.
func finish(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// runPlain runs a command and returns everything it printed.
func runPlain(ctx context.Context, c command, env []string) (string, error) {
	cmd := start(ctx, c, env)
	defer finish(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("`%s` failed: %w", strings.Join(c.args, " "), reason(ctx, err))
	}
	return out.String(), nil
}

// runGoTest runs a command that prints the events of go test into a tally, and says on the writer which packages ended.
func runGoTest(ctx context.Context, c command, env []string, t *tally, progress io.Writer) error {
	cmd := start(ctx, c, env)
	defer finish(cmd)
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
		return reason(ctx, err)
	}
	if readErr != nil {
		return readErr
	}
	if err != nil && t.counts().failed == 0 {
		return fmt.Errorf("`%s` failed without a failing test: %w\n%s", strings.Join(c.args[:4], " "), err, stderr.String())
	}
	return nil
}

// readEvents reads lines until the end. A line that is no event is kept as the output of no test.
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

// errOutOfTime is the cause of a context whose suite used up its seconds.
var errOutOfTime = errors.New("it ran out of the time that hack/budget.yaml gives it")

// reason prefers why the context ended to the error of the program that was killed for it.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
