package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
)

// OSM runs the osm command of BuildOSM for the cluster, and returns what it prints with its exit code. It fails if the command cannot run.
func (c *Cluster) OSM(ctx context.Context, args ...string) (printed string, code int, err error) {
	command := exec.CommandContext(ctx, c.Repository.Path("bin", "osm"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	if failed := (&exec.ExitError{}); errors.As(err, &failed) {
		return out.String(), failed.ExitCode(), nil
	}
	return out.String(), 0, err
}
