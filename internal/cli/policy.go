package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
)

func (a *app) policyCommand() *cobra.Command {
	return group("policy", "Check and test policies", nil, a.checkPodsCommand(), a.checkConflictsCommand(), a.policyTestCommand())
}

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
	c, found, err := a.open(ctx, meshName, nil)
	if err != nil {
		return err
	}
	loaded, err := load.FromCluster(ctx, c, found.Name, found.Namespace)
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
func meshedPod(v *catalog.View, text string) (*catalog.Pod, error) {
	namespace, name, found := strings.Cut(text, "/")
	if !found {
		namespace, name = "default", text
	}
	if name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("Pod name should be of the form <namespace/pod>, or <pod> for default namespace, got: %s", text) //nolint:staticcheck // same message as OSM
	}
	pod := v.Pod(catalog.Name{Namespace: namespace, Name: name})
	if pod == nil {
		return nil, fmt.Errorf("Could not find pod %s in namespace %s", name, namespace) //nolint:staticcheck // same message as OSM
	}
	if !pod.Injected || !v.InMesh(namespace) {
		return nil, fmt.Errorf("Pod %s in namespace %s is not a part of a mesh", name, namespace) //nolint:staticcheck // same message as OSM
	}
	return pod, nil
}

// grantingPods returns the TrafficTargets that allow one pod to connect to any port of another, sorted.
func grantingPods(v *catalog.View, from, to *catalog.Pod) []string {
	var all []string
	for _, name := range v.ServicesOfPod(to) {
		service := v.Service(name)
		for _, port := range service.Ports {
			all = append(all, authz.GrantingTargets(v, from.Identity(), to.Identity(), v.TargetPort(service, port), port.Protocol)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// errNoExpectations is returned if the files contain no PolicyTest.
var errNoExpectations = errors.New("no expectations found: add a document of kind PolicyTest to the files, see `osm policy test --help`")
