package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

func (a *app) checkPodsCommand() *cobra.Command {
	var meshName string
	cmd := &cobra.Command{
		Use:   "check-pods SOURCE_NAMESPACE/SOURCE_POD DESTINATION_NAMESPACE/DESTINATION_POD",
		Short: "Check whether policies allow one pod to connect to another",
		Long: `Check whether a TrafficTarget or permissive mode allows one pod to connect to another. The namespace defaults to "default".
"osm explain" evaluates single requests and prints the policies that would allow them.`,
		Example: `  osm policy check-pods bookbuyer/bookbuyer-5c797ff5f4-tck47 bookstore/bookstore-v1-8659bfb57-66zx9`,
		Args:    exactly(2, "SOURCE_NAMESPACE/SOURCE_POD or DESTINATION_NAMESPACE/DESTINATION_POD"),
		RunE:    a.run(func(ctx context.Context, args []string) error { return a.checkPods(ctx, meshName, args[0], args[1]) }),
	}
	cmd.ValidArgsFunction = a.completeMeshedPods
	a.addMeshName(cmd, &meshName, "")
	return cmd
}

func (a *app) checkPods(ctx context.Context, meshName, source, destination string) error {
	found, loaded, err := a.load(ctx, meshName)
	if err != nil {
		return err
	}
	v := loaded.Catalog.View()
	from, err := meshedPod(v, source)
	if err != nil {
		return err
	}
	to, err := meshedPod(v, destination)
	if err != nil {
		return err
	}
	if v.Permissive(to.Name.Namespace) {
		of := fmt.Sprintf("mesh operated by osm-controller running in '%s' namespace", found.Namespace)
		if slices.Contains(v.PermissiveOverrides(), to.Name.Namespace) {
			of = fmt.Sprintf("namespace '%s'", to.Name.Namespace)
		}
		a.line("[+] Permissive mode enabled for %s\n\n [+] Pod '%s' is allowed to communicate to pod '%s'", of, from.Name, to.Name)
		return nil
	}
	a.line("[+] SMI traffic policy mode enabled for mesh operated by osm-controller running in %s namespace\n", found.Namespace)
	granting := grantingPods(v, from, to)
	for _, policy := range granting {
		namespace, name, _ := strings.Cut(policy, "/")
		a.line("[+] Pod '%s' is allowed to communicate to pod '%s' via the SMI TrafficTarget policy %q in namespace %s", from.Name, to.Name, name, namespace)
	}
	if len(granting) == 0 {
		a.line("[+] Pod '%s' is not allowed to communicate to pod '%s', missing SMI TrafficTarget policy", from.Name, to.Name)
	}
	return nil
}

// meshedPod returns the pod "[NAMESPACE/]NAME" if it is part of the mesh.
func meshedPod(v *catalog.View, text string) (*inventory.Instance, error) {
	namespace, name, found := strings.Cut(text, "/")
	if !found {
		namespace, name = "default", text
	}
	if name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("Pod name should be of the form <namespace/pod>, or <pod> for default namespace, got: %s", text) //nolint:staticcheck // same message as OSM
	}
	pod := v.Pod(entity.Name{Namespace: namespace, Name: name})
	if pod == nil {
		return nil, fmt.Errorf("Could not find pod %s in namespace %s", name, namespace) //nolint:staticcheck // same message as OSM
	}
	if !v.IsServed(pod) {
		return nil, fmt.Errorf("Pod %s in namespace %s is not a part of a mesh", name, namespace) //nolint:staticcheck // same message as OSM
	}
	return pod, nil
}

// grantingPods returns the TrafficTargets that allow one pod to connect to any port of another, sorted.
func grantingPods(v *catalog.View, from, to *inventory.Instance) []string {
	var all []string
	for _, name := range v.ServicesOfPod(to) {
		service := v.Service(name)
		for _, port := range service.Ports {
			all = append(all, authz.GrantingTargets(v, from.Identity(), to.Identity(), v.TargetPort(service, port), port.Protocol)...)
		}
	}
	return lists.Unique(all)
}

// errNoExpectations is returned if the files contain no PolicyTest.
var errNoExpectations = errors.New("no expectations found: add a document of kind PolicyTest to the files, see `osm policy test --help`")

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
func conflictingKinds(text string) []entity.Kind {
	named, _ := kinds.Named(text)
	if !slices.Contains(conflictKinds(), strings.ToLower(named.Kind)) {
		return nil
	}
	all := []entity.Kind{entity.Kind(named.Kind)}
	for _, kind := range kinds.All() {
		if kind.YieldsTo == all[0] {
			all = append(all, entity.Kind(kind.Kind))
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
	found, loaded, err := a.load(ctx, meshName)
	if err != nil {
		return err
	}
	var namespaces []string
	if only := a.kube.OnlyNamespace(); only != "" {
		namespaces = strings.Split(only, ",")
	}
	for _, namespace := range namespaces {
		if _, exists := loaded.Names[entity.Ref{Kind: entity.KindNamespace, Name: entity.Name{Name: namespace}}]; !exists {
			return fmt.Errorf("namespace %s not found: list namespaces with `kubectl get namespaces`", namespace)
		}
	}
	return a.reportConflicts(analyze.Conflicts(loaded, found.Namespace), conflicting, namespaces)
}

// reportConflicts prints the conflicts between policies of the given kinds, in OSM's format.
func (a *app) reportConflicts(all []analyze.Conflict, conflicting []entity.Kind, namespaces []string) error {
	found := false
	for _, c := range all {
		if !slices.Contains(conflicting, c.Policy.Kind) || len(namespaces) > 0 && !slices.Contains(namespaces, c.Policy.Name.Namespace) {
			continue
		}
		found = true
		winner := c.Winner.Name.String()
		if c.Winner.Kind != c.Policy.Kind {
			winner = string(c.Winner.Kind) + " " + winner
		}
		a.line("[+] %s %s conflicts with %s:\n %s\n", c.Policy.Kind, c.Policy.Name, winner, c.About)
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
