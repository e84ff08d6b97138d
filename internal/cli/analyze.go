package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// analyzeOptions are the flags of the analyze command.
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
		Short: "Analyze a mesh and its policies for problems",
		Long: `Analyze a mesh and its policies. Findings are policies without effect, broken references, conflicts, deprecated settings and
configuration that will not work. Each finding is one line with severity, code, object, and a message with the remedy.
docs/analysis.md has a section about each code, and --codes lists them. Pods that terminate or have ended are left out.

Without -f, the command analyzes the mesh in the cluster. With -f, it analyzes the mesh in the files and needs no cluster. With -n, it
only reports findings for objects in that namespace. To suppress findings for an object, list their codes, separated by commas, in its
annotation ` + names.AnalyzeIgnoreAnnotation + `.

The exit code is 1 if there is a finding with severity error or the analysis fails, otherwise 0.`,
		Example: `  osm analyze
  osm analyze -n bookstore --severity warning
  osm analyze -f manifests/ -o json`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.analyze(ctx, &o) }),
	}
	f := cmd.Flags()
	a.addMeshAndOutput(cmd, &o.mesh, &o.form)
	f.StringSliceVarP(&o.files, "filename", "f", nil, "files or directories to analyze instead of a cluster, separated by commas; - reads standard input")
	f.StringVar(&o.severity, "severity", "info", "minimum severity to report: info, warning or error")
	f.BoolVarP(&o.all, "all-namespaces", "A", false, "report findings in all namespaces; this is the default")
	f.BoolVar(&o.codes, "codes", false, "list all codes and exit")
	_ = cmd.RegisterFlagCompletionFunc("severity", cobra.FixedCompletions([]string{"info", "warning", "error"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) analyze(ctx context.Context, o *analyzeOptions) error {
	least, valid := diagnosis.ParseSeverity(o.severity)
	if !valid {
		return fmt.Errorf("invalid --severity %s: must be info, warning or error", o.severity)
	}
	if o.codes {
		return a.listCodes(&o.form)
	}
	namespace := a.kube.OnlyNamespace()
	if o.all && namespace != "" {
		return errors.New("-n and --all-namespaces are mutually exclusive")
	}
	var report *analyze.Report
	var err error
	if len(o.files) > 0 {
		report, err = a.analyzeFiles(o)
	} else {
		report, err = a.analyzeCluster(ctx, o)
	}
	if err != nil {
		return err
	}
	if exists, member := report.Namespace(namespace); namespace != "" && !exists {
		return fmt.Errorf("namespace %s not found: run the command without -n to analyze all namespaces", namespace)
	} else if namespace != "" && !member {
		a.note("Note: namespace %s is not part of the mesh.", namespace)
	}
	report.Keep(least, namespace)
	return a.reportAnalysis(report, &o.form)
}

func (a *app) listCodes(form *output.Flag) error {
	all := analyze.Codes()
	return form.Print(a.Out, output.List(map[string]any{"items": all}, all, output.Columns("CODE", "SEVERITY", "WHAT"),
		func(code analyze.Code) (string, []string) {
			return code.ID, []string{code.ID, string(code.Severity), code.Title}
		}))
}

func (a *app) analyzeFiles(o *analyzeOptions) (*analyze.Report, error) {
	written, err := a.objectsOf(o.files)
	if err != nil {
		return nil, err
	}
	complete, loaded, err := loadManifests(o.mesh, written)
	if err != nil {
		return nil, err
	}
	m := analyze.Mesh{Name: complete.Mesh, Namespace: names.DefaultNamespace, Loaded: loaded, Objects: complete.Objects, Partial: true, Now: a.now()}
	report := analyze.Run(m)
	report.Objects = len(written) // without the objects added by Complete
	return report, nil
}

func (a *app) analyzeCluster(ctx context.Context, o *analyzeOptions) (*analyze.Report, error) {
	c, found, err := a.open(ctx, o.mesh)
	if err != nil {
		return nil, err
	}
	objects, err := clusterload.Objects(ctx, c, found.Name, found.Namespace)
	if err != nil {
		return nil, err
	}
	loaded, err := load.FromObjects(found.Name, c.Scheme(), objects)
	if err != nil {
		return nil, err
	}
	m := analyze.Mesh{
		Name: found.Name, Namespace: found.Namespace, Loaded: loaded, Objects: objects, Meshes: found.siblings.All, Systems: found.siblings.Systems,
		TrustDomain: found.trustDomain, Now: a.now(),
	}
	if found.Declared && found.Version != "" {
		m.Revision = desired.RevisionName(found.Name, found.Version)
	}
	return analyze.Cluster(ctx, c, m), nil
}

// reportAnalysis prints a report in the selected output format.
func (a *app) reportAnalysis(report *analyze.Report, form *output.Flag) error {
	if !form.ForPeople() {
		named := lists.Map(report.Findings, func(f diagnosis.Finding) string {
			return strings.ReplaceAll(strings.ToLower(f.Kind)+"/"+f.Namespace+"/"+f.Name, "//", "/")
		})
		if err := form.Print(a.Out, output.Result{Data: report, Names: named}); err != nil {
			return err
		}
	} else {
		for _, f := range report.Findings {
			a.line("%s", f)
		}
		if len(report.Findings) == 0 {
			a.note("No problems found in %d objects.", report.Objects)
		}
		if report.Suppressed > 0 {
			a.note("Suppressed findings: %d.", report.Suppressed)
		}
	}
	for _, gap := range report.Unread {
		a.note("Not analyzed: %s", gap)
	}
	return exitIf(diagnosis.Worst(report.Findings) == diagnosis.Error, exitFailed, nil)
}
