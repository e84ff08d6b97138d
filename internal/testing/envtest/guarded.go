package envtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/openservicemesh/osm-operator/internal/testing/guard"
)

// Guard kills the programs of an API server if this process is killed: they are in process groups of their own. Call it before the server starts, and the
// returned function after it has stopped.
func Guard(environment *envtest.Environment) (stop func() error, err error) {
	folder, err := os.MkdirTemp("", "osm-envtest-")
	if err != nil {
		return nil, fmt.Errorf("no folder for an API server: %w", err)
	}
	stopGuard, err := guarded(environment, folder)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return func() error { return errors.Join(stopGuard(), os.RemoveAll(folder)) }, nil
}

// guarded is Guard with a folder of the caller. Certificates and the key of tokens survive a restart only there.
func guarded(environment *envtest.Environment, folder string) (stop func() error, err error) {
	environment.ControlPlane.GetAPIServer().CertDir = filepath.Join(folder, "certificates")
	environment.ControlPlane.Etcd = &envtest.Etcd{DataDir: filepath.Join(folder, "etcd")}
	for _, dir := range []string{environment.ControlPlane.GetAPIServer().CertDir, environment.ControlPlane.Etcd.DataDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, fmt.Errorf("no folder for an API server: %w", err)
		}
	}
	// Programs have their folder in their arguments.
	input, err := guard.Start(`pkill -KILL -f -- "$FOLDER"`, "FOLDER="+folder)
	if err != nil {
		return nil, err
	}
	return input.Close, nil
}
