package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Exit codes.
const (
	// exitFailed means an error, or a failed check or test.
	exitFailed = 1
	// exitNo means that the command succeeded and its answer is no.
	exitNo = 2
)

// Exits lists the exit codes of all commands, in order.
var Exits = []struct {
	Code  int
	Means string
}{
	{0, "success, or the answer is yes"},
	{exitFailed, "error, or a check or test failed"},
	{exitNo, "the answer is no (explain), or something would change (plan, mesh plan) or break (certificates check)"},
}

// exitCodes returns the exit codes for the help text.
func exitCodes() string {
	var lines []string
	for _, e := range Exits {
		lines = append(lines, fmt.Sprintf("  %d  %s", e.Code, e.Means))
	}
	return strings.Join(lines, "\n")
}

// silent is an error whose message has already been printed.
type silent struct{ code int }

func (s silent) Error() string { return "failed" }

// Run runs the command line and returns the exit code. program is the name of the executable. Libraries do not log.
func Run(ctx context.Context, program string, args []string, streams Streams) int {
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	root := New(streams, time.Now, os.Getenv)
	if strings.HasPrefix(filepath.Base(program), "kubectl-") {
		root.Annotations[cobra.CommandDisplayNameAnnotation] = "kubectl osm"
	}
	root.SetArgs(args)
	return exitCode(root.ExecuteContext(ctx), streams.printable().Err)
}

func exitCode(err error, w io.Writer) int {
	var printed silent
	switch {
	case err == nil:
		return 0
	case errors.As(err, &printed):
		return printed.code
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "Error: interrupted.")
		return exitFailed
	}
	text := strings.TrimSpace(err.Error())
	if text != "" && !strings.ContainsAny(text[len(text)-1:], ".:?!`\"") {
		text += "."
	}
	fmt.Fprintln(w, "Error: "+text)
	return exitFailed
}
