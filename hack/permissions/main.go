// Command permissions compares the requests of the service accounts of the mesh with their roles, by the audit log of the local cluster.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/openservicemesh/osm-operator/hack/internal/paths"
	"github.com/openservicemesh/osm-operator/hack/internal/permissions"
	"github.com/openservicemesh/osm-operator/hack/internal/repo"
)

func main() {
	unused := flag.Bool("unused", false, "list the permissions that no request needed, too")
	flag.Parse()
	if err := run(os.Stdout, *unused); err != nil {
		fmt.Fprintln(os.Stderr, "permissions:", err)
		os.Exit(1)
	}
}

// run prints refused requests, and unused permissions. Refused requests are an error.
func run(out io.Writer, unused bool) error {
	state, err := paths.FindState(os.Getenv)
	if err != nil {
		return err
	}
	log, err := os.Open(state.AuditLog())
	if err != nil {
		return fmt.Errorf("the local cluster has no audit log: start it again with \"go run ./cluster down\" and \"go run ./cluster up\": %w", err)
	}
	defer log.Close()
	requests, err := permissions.ReadLog(log)
	if err != nil {
		return err
	}
	if unused {
		if err := printUnused(out, requests); err != nil {
			return err
		}
	}
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	expected, err := permissions.ReadExpected(filepath.Join(root, "hack", "permissions.yaml"))
	if err != nil {
		return err
	}
	refused := permissions.Refused(requests, "osm-", expected)
	for _, request := range refused {
		fmt.Fprintln(out, "refused:", request)
	}
	if len(refused) > 0 {
		return fmt.Errorf("%d requests of %d were refused: add a permission, remove the request, or explain it in hack/permissions.yaml", len(refused), len(requests))
	}
	fmt.Fprintf(out, "%d requests, none refused unexpectedly\n", len(requests))
	return nil
}

// printUnused compares the roles in the manifests. The operator holds what it grants.
func printUnused(out io.Writer, requests []permissions.Request) error {
	root, err := repo.Root(".")
	if err != nil {
		return err
	}
	var files []string
	for _, file := range []string{"role.yaml", "leader_election_role.yaml", "token_role.yaml"} {
		files = append(files, filepath.Join(root, "config", "rbac", file))
	}
	own, err := permissions.ReadRoles(files...)
	if err != nil {
		return err
	}
	manifests, err := filepath.Glob(filepath.Join(root, "internal", "operand", "manifests", "*", "*.yaml"))
	if err != nil {
		return err
	}
	all, err := permissions.ReadRoles(manifests...)
	if err != nil {
		return err
	}
	var granted []permissions.Permission
	for _, role := range all {
		granted = append(granted, role...)
	}
	current, err := permissions.ReadRoles(
		filepath.Join(root, "internal", "operand", "manifests", "current", "controller.yaml"), filepath.Join(root, "internal", "operand", "manifests", "current", "injector.yaml"),
	)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		account       string
		held, granted []permissions.Permission
	}{{"osm-operator", own["osm-operator"], granted}, {"osm-controller", current["osm-controller"], nil}, {"osm-injector", current["osm-injector"], nil}} {
		for _, permission := range permissions.Unused(requests, c.account, c.held, c.granted) {
			fmt.Fprintf(out, "unused: %s: %s\n", c.account, permission)
		}
	}
	return nil
}
