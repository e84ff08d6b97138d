package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/expect"
	"github.com/openservicemesh/osm-operator/internal/cli/fields"
	"github.com/openservicemesh/osm-operator/internal/mesh/validate"
)

func (a *app) policyTestCommand() *cobra.Command {
	var files []string
	var meshName, junit string
	cmd := &cobra.Command{
		Use:   "test -f FILE_OR_DIRECTORY",
		Short: "Test policies without a cluster",
		Long: `Test expectations against manifests (workloads, Services, policies), without a cluster. Objects that only a cluster has are added:
pods of workloads, addresses and endpoints, and without a MeshConfig that of a new mesh. Namespaces without mesh labels are part
of the mesh. A policy that the mesh would reject is a failure.

Expectations are documents of kind PolicyTest in the same files:

  apiVersion: cli.openservicemesh.io/v1alpha1
  kind: PolicyTest
  cases:
  - {from: bookbuyer/bookbuyer, to: bookstore/bookstore, request: GET /buy-a-book/new, want: allowed, by: bookstore/bookstore-v1}
  - {from: bookthief/bookthief, to: bookstore/bookstore, request: GET /buy-a-book/new, want: denied}

from and to are those of "osm explain": an account of a peer is PEER/NAMESPACE/sa/NAME, and needs the MeshPeer and the ServiceExport.
want is allowed, denied or partly, or the kind of denial: forbidden, not found, bad request, unavailable, reset, refused, passed
through. The exit code is 1 if an expectation is not met.`,
		Example: `  osm policy test -f manifests/
  osm policy test -f apps/,policies/,expectations.yaml --junit report.xml`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.policyTest(ctx, meshName, files, junit) }),
	}
	cmd.Flags().StringSliceVarP(&files, "filename", "f", nil, "files or directories with manifests and expectations, separated by commas")
	cmd.Flags().StringVar(&junit, "junit", "", "also write the results to this file as JUnit XML; - writes to standard output")
	cmd.Flags().StringVar(&meshName, "mesh-name", "", "name of the mesh (default: the Mesh in the manifests, or osm)")
	return cmd
}

func (a *app) policyTest(ctx context.Context, meshName string, paths []string, junit string) error {
	if len(paths) == 0 {
		return fmt.Errorf("missing files: usage: `osm policy test -f FILE_OR_DIRECTORY`")
	}
	objects, err := readAll(paths...)
	if err != nil {
		return err
	}
	cases, rest, err := expect.Take(objects)
	if err != nil {
		return err
	}
	if len(cases) == 0 {
		return errNoExpectations
	}
	m, err := meshOfObjects(meshName, rest)
	if err != nil {
		return err
	}
	schemas, err := fields.Read()
	if err != nil {
		return err
	}
	results := expect.Run(ctx, m, cases)
	for _, object := range rest {
		rejections, warnings := validate.Split(validate.Object(object))
		for _, unknown := range schemas.Find(object) {
			rejections = append(rejections, fmt.Sprintf("%s is not a field of this kind: use one of %s", unknown.Path, strings.Join(unknown.Known, ", ")))
		}
		name := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		for _, w := range warnings {
			a.note("Note: %s: %s", name, w)
		}
		for _, r := range rejections {
			results = append(results, expect.Result{Case: expect.Case{From: name, To: "admission", Want: "allowed"}, Failure: r})
		}
	}
	return a.reportTest(results, junit)
}

// reportTest prints results, and writes JUnit XML if requested.
func (a *app) reportTest(results []expect.Result, junit string) error {
	out := a.Out
	if junit == "-" {
		out = a.Err
		if err := expect.JUnit(a.Out, results); err != nil {
			return err
		}
	} else if junit != "" {
		if err := writeFile(junit, func(w io.Writer) error { return expect.JUnit(w, results) }); err != nil {
			return err
		}
	}
	for _, r := range results {
		if r.Failure == "" {
			fmt.Fprintf(out, "ok    %s\n", r.Case.Name())
		} else {
			fmt.Fprintf(out, "FAIL  %s\n      %s\n", r.Case.Name(), r.Failure)
		}
	}
	failed := expect.Failed(results)
	fmt.Fprintf(out, "%d of %d expectations met\n", len(results)-failed, len(results))
	return exitIf(failed > 0, exitFailed, nil)
}

// writeFile writes a file and adds its path to errors.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
