// Command permissions compares the requests of the service accounts of the mesh with their roles, by the audit log of the local cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/openservicemesh/osm-operator/hack/internal/entrypoint"
	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/permissions"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	unused := flag.Bool("unused", false, "list the permissions that no request needed, and that hack/permissions.yaml does not explain")
	flag.Parse()
	entrypoint.Main("permissions", func(context.Context) error { return run(os.Stdout, *unused) })
}

// run prints denied requests, and unused permissions. Denied requests are an error.
func run(out io.Writer, unused bool) error {
	if os.Getenv("CLUSTER") == "current" {
		fmt.Fprintln(out, "the current cluster has no audit log that can be read")
		return nil
	}
	requests, err := readRequests()
	if err != nil {
		return err
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	manifests, err := permissions.ReadRepository(root)
	if err != nil {
		return err
	}
	if unused {
		for _, account := range []string{permissions.Operator, "osm-controller", "osm-injector"} {
			for _, permission := range manifests.Unused(requests, account) {
				fmt.Fprintf(out, "unused: %s: %s\n", account, permission)
			}
		}
	}
	denied := permissions.Denied(requests, "osm-", manifests.Held, manifests.Explained.Denied)
	for _, request := range denied {
		fmt.Fprintln(out, "denied:", request)
	}
	if len(denied) > 0 {
		return fmt.Errorf("%d requests of %d were denied: add a permission, remove the request, or explain it in hack/permissions.yaml", len(denied), len(requests))
	}
	fmt.Fprintf(out, "%d requests, none denied unexpectedly\n", len(requests))
	return nil
}

// readRequests reads the audit log of the local cluster.
func readRequests() ([]permissions.Request, error) {
	state, err := paths.FindState(os.Getenv)
	if err != nil {
		return nil, err
	}
	log, err := os.Open(state.AuditLog())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the local cluster has no audit log: start it again with \"go run ./cluster down\" and \"go run ./cluster up\": %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer log.Close()
	return permissions.ReadLog(log)
}
