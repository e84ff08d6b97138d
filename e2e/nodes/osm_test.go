package nodes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// osm runs the osm command, and returns what it prints with its exit code.
func osm(ctx context.Context, args ...string) (printed string, code int, err error) {
	cmd := exec.CommandContext(ctx, cluster.Repository.Path("bin", "osm"), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if failed := (&exec.ExitError{}); errors.As(err, &failed) {
		return out.String(), failed.ExitCode(), nil
	}
	return out.String(), 0, err
}

// osmPrints returns a check of lab.Until: whether the output of the osm command has all texts and none of others, and its exit code is one.
func osmPrints(code int, texts, absent []string, args ...string) func(context.Context) (bool, string, error) {
	return func(ctx context.Context) (bool, string, error) {
		printed, got, err := osm(ctx, args...)
		done := got == code
		for _, text := range texts {
			done = done && strings.Contains(printed, text)
		}
		for _, text := range absent {
			done = done && !strings.Contains(printed, text)
		}
		return done, fmt.Sprintf("osm %s, exit code %d:\n%s", strings.Join(args, " "), got, printed), err
	}
}
