package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

// conflictKinds returns the kinds whose objects can conflict, sorted, in lower case. A kind that yields to another one is checked with it.
func conflictKinds() []string {
	var all []string
	for _, kind := range kinds.All() {
		if kind.Exclusive && kind.YieldsTo == "" {
			all = append(all, strings.ToLower(kind.Kind))
		}
	}
	slices.Sort(all)
	return all
}

// conflictingKinds returns a kind by its singular, plural or short name, and the kinds that yield to it; none if no objects conflict.
func conflictingKinds(text string) []catalog.Kind {
	named, _ := kinds.Named(text)
	if !slices.Contains(conflictKinds(), strings.ToLower(named.Kind)) {
		return nil
	}
	all := []catalog.Kind{catalog.Kind(named.Kind)}
	for _, kind := range kinds.All() {
		if kind.YieldsTo == all[0] {
			all = append(all, catalog.Kind(kind.Kind))
		}
	}
	return all
}

func (a *app) checkConflictsCommand() *cobra.Command {
	var meshName string
	cmd := &cobra.Command{
		Use:   "check-conflicts KIND",
		Short: "Check for conflicts between policies of a kind",
		Long: `Check for conflicts between policies of a kind. If two policies configure the same thing, one of them has no effect. KIND is
` + enumerated(conflictKinds(), "or") + `. -n accepts several
namespaces, separated by commas; the default is all namespaces. The exit code is 1 if there are conflicts. "osm analyze" reports
conflicts and all other problems.`,
		Example: `  osm policy check-conflicts trafficsplit
  osm policy check-conflicts ingressbackend -n shop,till`,
		Args:              exactly(1, "KIND"),
		ValidArgsFunction: cobra.FixedCompletions(conflictKinds(), cobra.ShellCompDirectiveNoFileComp),
		RunE:              a.run(func(ctx context.Context, args []string) error { return a.checkConflicts(ctx, meshName, args[0]) }),
	}
	a.addMeshName(cmd, &meshName, "")
	return cmd
}

func (a *app) checkConflicts(ctx context.Context, meshName, kind string) error {
	conflicting := conflictingKinds(kind)
	if conflicting == nil {
		return fmt.Errorf("unsupported kind %q: must be %s", kind, enumerated(conflictKinds(), "or"))
	}
	c, err := a.kube.Client()
	if err != nil {
		return err
	}
	found, err := a.oneMesh(ctx, c, meshName)
	if err != nil {
		return err
	}
	loaded, err := load.FromCluster(ctx, c, found.Name, found.Namespace)
	if err != nil {
		return err
	}
	var namespaces []string
	if only := a.kube.OnlyNamespace(); only != "" {
		namespaces = strings.Split(only, ",")
	}
	for _, namespace := range namespaces {
		if _, exists := loaded.Names[catalog.Ref{Kind: catalog.KindNamespace, Name: catalog.Name{Name: namespace}}]; !exists {
			return fmt.Errorf("namespace %s not found: list namespaces with `kubectl get namespaces`", namespace)
		}
	}
	return a.reportConflicts(analyze.Conflicts(loaded), conflicting, namespaces)
}

// reportConflicts prints the conflicts between policies of the given kinds, in OSM's format.
func (a *app) reportConflicts(all []analyze.Conflict, conflicting []catalog.Kind, namespaces []string) error {
	found := false
	for _, c := range all {
		if !slices.Contains(conflicting, c.Kind) || len(namespaces) > 0 && !slices.Contains(namespaces, c.Name.Namespace) {
			continue
		}
		found = true
		winner := c.WinnerName.String()
		if c.WinnerKind != c.Kind {
			winner = c.Winner()
		}
		a.line("[+] %s %s conflicts with %s:\n %s\n", c.Kind, c.Name, winner, c.About)
	}
	if found {
		return silent{exitFailed}
	}
	where := " in any namespace"
	if len(namespaces) > 0 {
		where = " in namespace " + strings.Join(namespaces, ", ")
	}
	a.line("No conflicts among %s resources%s", conflicting[0], where)
	return nil
}
