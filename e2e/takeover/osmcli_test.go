package takeover

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
)

// osmCommand is a running osm command.
type osmCommand struct {
	t       *testing.T
	text    string
	process *exec.Cmd
	done    chan struct{}
	err     error

	mu     sync.Mutex
	output bytes.Buffer
}

// Write adds output of the command.
func (c *osmCommand) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.Write(p)
}

// printed returns the output so far.
func (c *osmCommand) printed() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.String()
}

// startOSM starts the osm command with arguments.
func startOSM(t *testing.T, args ...string) *osmCommand {
	t.Helper()
	c := &osmCommand{t: t, text: "osm " + strings.Join(args, " "), done: make(chan struct{})}
	c.process = exec.CommandContext(context.WithoutCancel(t.Context()), cluster.Repository.Path("bin", "osm"), args...)
	c.process.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	c.process.Stdout, c.process.Stderr = c, c
	lab.Must(t, c.process.Start())
	go func() {
		c.err = c.process.Wait()
		close(c.done)
	}()
	t.Cleanup(func() {
		_ = c.process.Process.Kill()
		<-c.done
	})
	return c
}

// runOSM runs the osm command to its end.
func runOSM(t *testing.T, args ...string) string {
	t.Helper()
	c := startOSM(t, args...)
	c.wait(effectLimit)
	return c.printed()
}

// wait waits until the command has ended, and requires that it succeeded.
func (c *osmCommand) wait(limit time.Duration) {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(limit):
		c.t.Fatalf("%s has not ended within %s:\n%s", c.text, limit, c.printed())
	}
	if c.err != nil {
		c.t.Fatalf("%s: %v\n%s", c.text, c.err, c.printed())
	}
	c.t.Logf("%s:\n%s", c.text, c.printed())
}

// awaitPrinted waits until the output has a text.
func (c *osmCommand) awaitPrinted(text string, limit time.Duration) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for !strings.Contains(c.printed(), text) {
		select {
		case <-c.done:
			c.t.Fatalf("%s has ended (%v) before it printed %q:\n%s", c.text, c.err, text, c.printed())
		case <-time.After(time.Until(deadline)):
			c.t.Fatalf("%s has not printed %q within %s:\n%s", c.text, text, limit, c.printed())
		case <-time.After(pollInterval):
		}
	}
}

// interrupt interrupts the command, as a user does with Ctrl-C.
func (c *osmCommand) interrupt() {
	c.t.Helper()
	lab.Must(c.t, c.process.Process.Signal(syscall.SIGINT))
	select {
	case <-c.done:
	case <-time.After(effectLimit):
		c.t.Fatalf("%s has not ended after an interrupt", c.text)
	}
	c.t.Logf("%s, interrupted: %v\n%s", c.text, fmt.Sprint(c.err), c.printed())
}
