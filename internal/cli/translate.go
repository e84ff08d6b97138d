package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/translate"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

// toPeers is the target of MultiClusterServices of Open Service Mesh.
const toPeers = "peers"

// Targets and output formats of the translate command.
var (
	translateTargets = []string{"gateway-api", "smi", toPeers}
	translateForms   = []string{"yaml", "json", "name"}
)

// translateOptions are the flags of the translate command.
type translateOptions struct {
	mesh, to, form string
	files          []string
	all            bool
	bestEffort     bool
}

func (a *app) translateCommand() *cobra.Command {
	var o translateOptions
	cmd := &cobra.Command{
		Use:   "translate --to gateway-api|smi|peers",
		Short: "Translate traffic policies between SMI and the Gateway API, and those of OSM for other clusters",
		Long: `Translate policies that route requests to Services, without changing anything. With --to gateway-api, TrafficSplits with their
HTTPRouteGroups, and Retries, become HTTPRoutes whose parents are Services, and TCPRoutes for ports without HTTP. With --to smi, such
HTTPRoutes and TCPRoutes become TrafficSplits, HTTPRouteGroups and Retries. Access stays with TrafficTargets in both. With --to peers,
MultiClusterServices of Open Service Mesh become ServiceImports, each with a Service if there is none. Their clusters become peers of the
same names, whose MeshPeers you apply: the output of "osm peer show" of the other clusters.

The result is printed to standard output, for "kubectl apply -f -". For each object, standard error says what became of it. The
result is exact: each request reaches the same backends in the same shares. What the other language cannot say exactly is not
translated, and the message says what to do. With --best-effort it is approximated, and the message names the difference.

Without -f, the command reads the mesh in the cluster. With -f, it reads the files only. They need the Services, because routes
name their ports, and, for retries, the workloads of the clients.

The exit code is 0 if everything was translated exactly, and 2 if not. It is 1 on errors.`,
		Example: `  osm translate --to gateway-api -n bookstore > routes.yaml
  osm translate --to gateway-api -f policies/ -f services.yaml
  osm translate --to smi -n bookstore | osm plan -f -
  osm translate --to peers > imports.yaml`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.translate(ctx, &o) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringVar(&o.to, "to", "", "what to translate to: gateway-api, smi or peers")
	f.StringSliceVarP(&o.files, "filename", "f", nil, "files or directories to translate instead of a cluster, separated by commas; - reads standard input")
	f.BoolVarP(&o.all, "all-namespaces", "A", false, "translate the objects in all namespaces; this is the default")
	f.BoolVar(&o.bestEffort, "best-effort", false, "also print what is only approximately the same")
	f.StringVarP(&o.form, "output", "o", "yaml", "output format: "+strings.Join(translateForms, ", "))
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions(translateTargets, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(translateForms, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) translate(ctx context.Context, o *translateOptions) error {
	options := translate.Options{Namespace: a.kube.OnlyNamespace(), BestEffort: o.bestEffort}
	switch {
	case !slices.Contains(translateTargets, o.to):
		return fmt.Errorf("invalid --to %s: must be one of %s", o.to, strings.Join(translateTargets, ", "))
	case !slices.Contains(translateForms, o.form):
		return fmt.Errorf("invalid output format %s: must be one of %s", o.form, strings.Join(translateForms, ", "))
	case o.all && options.Namespace != "":
		return errors.New("-n and --all-namespaces are mutually exclusive")
	}
	loaded, services, err := a.loadToTranslate(ctx, o, &options)
	if err != nil {
		return err
	}
	if n := options.Namespace; n != "" && !hasNamespace(loaded, n) {
		return fmt.Errorf("namespace %s not found: run the command without -n to translate all namespaces", n)
	}
	result := translated(o.to, loaded, services, options)
	if len(result.Notes) == 0 {
		a.note("Nothing to translate.")
	}
	for _, note := range result.Notes {
		a.note("%s", note)
	}
	return exitIf(!result.Complete(), exitNo, a.printTranslation(result, o.form))
}

func translated(to string, loaded *load.Loaded, services []*unstructured.Unstructured, options translate.Options) *translate.Result {
	switch to {
	case toPeers:
		return translate.ToPeers(loaded, services, options)
	case "smi":
		return translate.ToSMI(loaded, options)
	}
	return translate.ToRoutes(loaded, options)
}

func hasNamespace(l *load.Loaded, name string) bool {
	for ref := range l.Names {
		if ref.Kind == entity.KindNamespace && (ref.Name.Name == name || ref.Name.Namespace == name) {
			return true
		}
	}
	return false
}

func (a *app) printTranslation(result *translate.Result, form string) error {
	switch form {
	case "json":
		return result.PrintJSON(a.Out)
	case "name":
		for _, object := range result.Objects {
			a.line("%s/%s/%s", strings.ToLower(string(kinds.EntryKind(object.GroupVersionKind()))), object.GetNamespace(), object.GetName())
		}
		return nil
	}
	return result.PrintYAML(a.Out)
}

// loadToTranslate reads the mesh in the files, or in the cluster. It also returns the MultiClusterServices, which are no part of it.
func (a *app) loadToTranslate(ctx context.Context, o *translateOptions, options *translate.Options) (*load.Loaded, []*unstructured.Unstructured, error) {
	if len(o.files) > 0 {
		written, err := a.objectsOf(o.files)
		if err != nil {
			return nil, nil, err
		}
		options.AssumeRetries = !slices.ContainsFunc(written, func(u *unstructured.Unstructured) bool { return u.GetKind() == "MeshConfig" })
		_, loaded, err := loadManifests(o.mesh, written)
		services := lists.Filter(written, func(u *unstructured.Unstructured) bool {
			return u.GroupVersionKind().GroupKind() == kinds.MultiClusterService.GroupKind()
		})
		return loaded, lists.Map(services, func(u *unstructured.Unstructured) *unstructured.Unstructured {
			return manifests.InNamespace(u, metav1.NamespaceDefault)
		}), err
	}
	_, loaded, err := a.load(ctx, o.mesh)
	if err != nil || o.to != toPeers {
		return loaded, nil, err
	}
	services, err := a.multiClusterServices(ctx)
	return loaded, services, err
}

// multiClusterServices returns the MultiClusterServices of the cluster; none if it does not define the kind.
func (a *app) multiClusterServices(ctx context.Context) ([]*unstructured.Unstructured, error) {
	c, err := a.kube.Client()
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kinds.MultiClusterService)
	if err := c.List(ctx, list); err != nil && !meta.IsNoMatchError(err) {
		return nil, err
	}
	services := make([]*unstructured.Unstructured, 0, len(list.Items))
	for i := range list.Items {
		services = append(services, &list.Items[i])
	}
	return services, nil
}
