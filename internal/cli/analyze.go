package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/controllers/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// analyzeOptions are the flags of analyze.
type analyzeOptions struct {
	mesh     string
	files    []string
	severity string
	all      bool
	codes    bool
	form     output.Flag
}

func (a *app) analyzeCommand() *cobra.Command {
	var o analyzeOptions
	cmd := &cobra.Command{
		Use:   "analyze",
		Short: "Find everything suspicious in a cluster or in files",
		Long: `Looks at a mesh and its policies for what does not act as it is written, what refers to nothing, what conflicts, what is
deprecated, and what will not work: one line for each, with a severity, a code, the object and a sentence with the remedy.
docs/analysis.md has a section about each code, and --codes lists them.

Without -f, it is about the mesh of the cluster; with -f about the mesh that files describe, and no cluster is asked. -n keeps the
findings about objects of one namespace. An object hides findings about itself by the annotation ` + names.AnalyzeIgnoreAnnotation + `
with their codes, separated by commas.

The exit code is 1 when there is a finding of severity error, after an error too, and else 0.`,
		Example: `  osm analyze
  osm analyze -n bookstore --severity warning
  osm analyze -f manifests/ -o json`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.analyze(ctx, &o) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringSliceVarP(&o.files, "filename", "f", nil, "files or folders to look at, separated by commas, in place of a cluster; - is the standard input")
	f.StringVar(&o.severity, "severity", "info", "the mildest severity to report: info, warning or error")
	f.BoolVarP(&o.all, "all-namespaces", "A", false, "report on all namespaces, which is also what happens without -n")
	f.BoolVar(&o.codes, "codes", false, "list all codes and look at nothing")
	o.form.AddTo(f)
	_ = cmd.RegisterFlagCompletionFunc("severity", cobra.FixedCompletions([]string{"info", "warning", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) analyze(ctx context.Context, o *analyzeOptions) error {
	if err := o.form.Check(); err != nil {
		return err
	}
	least, err := severityOf(o.severity)
	if err != nil {
		return err
	}
	if o.codes {
		return a.listCodes(&o.form)
	}
	namespace := a.kube.OnlyNamespace()
	if o.all && namespace != "" {
		return errors.New("-n and --all-namespaces exclude each other: leave one of them out")
	}
	var report *analyze.Report
	if len(o.files) > 0 {
		report, err = a.analyzeFiles(o)
	} else {
		report, err = a.analyzeCluster(ctx, o)
	}
	if err != nil {
		return err
	}
	report.Keep(least, namespace)
	return a.reportAnalysis(report, &o.form)
}

func severityOf(text string) (analyze.Severity, error) {
	i := slices.IndexFunc(analyze.Severities, func(s analyze.Severity) bool { return strings.EqualFold(string(s), text) })
	if i < 0 {
		return "", fmt.Errorf("--severity %s is not a severity: use info, warning or error", text)
	}
	return analyze.Severities[i], nil
}

func (a *app) listCodes(form *output.Flag) error {
	all := analyze.Codes()
	result := output.Result{Data: map[string]any{"items": all}, Table: output.Table{Columns: output.Columns("CODE", "SEVERITY", "WHAT")}}
	for _, code := range all {
		result.Names = append(result.Names, code.ID)
		result.Table.Rows = append(result.Table.Rows, []string{code.ID, string(code.Severity), code.Title})
	}
	return form.Print(a.Out, result)
}

func (a *app) analyzeFiles(o *analyzeOptions) (*analyze.Report, error) {
	written, err := a.objectsOf(o.files)
	if err != nil {
		return nil, err
	}
	complete, err := manifests.Complete(o.mesh, written)
	if err != nil {
		return nil, err
	}
	loaded, err := load.FromObjects(complete.Mesh, complete.Scheme, complete.Objects)
	if err != nil {
		return nil, fmt.Errorf("the manifests cannot be read: %w", err)
	}
	m := analyze.Mesh{Name: complete.Mesh, Namespace: names.DefaultNamespace, Loaded: loaded, Objects: complete.Objects, Partial: true, Now: a.now()}
	report := analyze.Run(m)
	report.Objects = len(written) // what was completed is not the author's
	return report, nil
}

func (a *app) analyzeCluster(ctx context.Context, o *analyzeOptions) (*analyze.Report, error) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, err
	}
	all, err := a.meshes(ctx, c)
	if err != nil {
		return nil, err
	}
	found, err := a.oneMesh(ctx, c, o.mesh)
	if err != nil {
		return nil, err
	}
	objects, err := load.Objects(ctx, c, found.Name, found.Namespace)
	if err != nil {
		return nil, err
	}
	loaded, err := load.FromObjects(found.Name, c.Scheme(), objects)
	if err != nil {
		return nil, err
	}
	m := analyze.Mesh{Name: found.Name, Namespace: found.Namespace, Loaded: loaded, Objects: objects, Meshes: []string{}, Now: a.now()}
	for _, one := range all {
		m.Meshes = append(m.Meshes, one.Name)
	}
	if found.Declared && found.Version != "" {
		m.Revision = desired.RevisionName(found.Name, found.Version)
	}
	return analyze.Cluster(ctx, c, m), nil
}

// reportAnalysis prints a report: lines for people, else data.
func (a *app) reportAnalysis(report *analyze.Report, form *output.Flag) error {
	if !form.ForPeople() {
		result := output.Result{Data: report}
		for _, f := range report.Findings {
			result.Names = append(result.Names, strings.ReplaceAll(strings.ToLower(f.Kind)+"/"+f.Namespace+"/"+f.Name, "//", "/"))
		}
		if err := form.Print(a.Out, result); err != nil {
			return err
		}
	} else {
		for _, f := range report.Findings {
			a.line("%s", f)
		}
		if len(report.Findings) == 0 {
			a.note("Nothing suspicious was found in %d objects.", report.Objects)
		}
		if report.Suppressed > 0 {
			a.note("Findings that annotations hide: %d.", report.Suppressed)
		}
	}
	for _, gap := range report.Unread {
		a.note("Not looked at: %s", gap)
	}
	if report.Worst() == analyze.Error {
		return silent{exitFailed}
	}
	return nil
}
