package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/expect"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/validate"
)

func (a *app) policyTestCommand() *cobra.Command {
	var files []string
	var meshName, junit string
	cmd := &cobra.Command{
		Use:   "test -f FILE_OR_FOLDER",
		Short: "Test policies without a cluster",
		Long: `Reads manifests (workloads, Services, policies) and expectations from files, and tells which expectations are not met. No
cluster is needed. What a cluster would add is added: pods of workloads, addresses, endpoints; namespaces that say nothing about
a mesh are part of it. Policies that the mesh would refuse are failures too.

Expectations are documents of kind PolicyTest among the manifests:

  apiVersion: cli.openservicemesh.io/v1alpha1
  kind: PolicyTest
  cases:
  - {from: bookbuyer/bookbuyer, to: bookstore/bookstore, request: GET /buy-a-book/new, want: allowed, by: bookstore/bookstore-v1}
  - {from: bookthief/bookthief, to: bookstore/bookstore, request: GET /buy-a-book/new, want: denied}

want is allowed, denied or partly; or how a denial looks: forbidden, not found, bad request, unavailable, reset, refused, passed
through. The exit code is 1 when an expectation is not met.`,
		Example: `  osm policy test -f manifests/
  osm policy test -f apps/,policies/,expectations.yaml --junit report.xml`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.policyTest(ctx, meshName, files, junit) }),
	}
	cmd.Flags().StringSliceVarP(&files, "filename", "f", nil, "files or folders with manifests and expectations, separated by commas")
	cmd.Flags().StringVar(&junit, "junit", "", "also write the results as JUnit's XML to this file; - is the standard output")
	cmd.Flags().StringVar(&meshName, "mesh-name", "", "name of the mesh (default: the Mesh among the manifests, or osm)")
	return cmd
}

func (a *app) policyTest(ctx context.Context, meshName string, paths []string, junit string) error {
	if len(paths) == 0 {
		return fmt.Errorf("no file is named: write `osm policy test -f FILE_OR_FOLDER`")
	}
	files, err := manifests.Files(paths...)
	if err != nil {
		return err
	}
	objects, err := manifests.Read(files)
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
	results := expect.Run(ctx, m, cases)
	for _, object := range rest {
		refusals, warnings := validate.Split(validate.Object(object))
		name := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		for _, w := range warnings {
			a.note("Note: %s: %s", name, w)
		}
		for _, r := range refusals {
			results = append(results, expect.Result{Case: expect.Case{From: name, To: "admission", Want: "allowed"}, Failure: r})
		}
	}
	return a.reportTest(results, junit)
}

// reportTest prints results, and writes them as XML where that is wanted.
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
	fmt.Fprintf(out, "%d of %d expectations are met\n", len(results)-failed, len(results))
	if failed > 0 {
		return silent{exitFailed}
	}
	return nil
}

// writeFile writes a file, and says so when it cannot.
func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	if err := write(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
