package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/openservicemesh/osm-operator/e2e/demo/current"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// prepareCurrent connects to the current cluster of the kubeconfig, checks it, asks the user, and creates the marked namespaces.
func prepareCurrent(ctx context.Context, p *progress, o options) (*lab.Cluster, error) {
	cluster, err := lab.Start(ctx, p.out)
	if err != nil {
		return nil, err
	}
	target, err := current.ReadTarget(cluster.Kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := current.Conflicts(ctx, cluster.Client); err != nil {
		return nil, fmt.Errorf("the demo cannot be installed in the cluster of context %s:\n%w", target.Context, err)
	}
	p.begin(commandStep)
	if err := cluster.Repository.BuildOSM(ctx, p.out); err != nil {
		return nil, err
	}
	p.begin(checkStep)
	if err := checkBeforeInstall(ctx, p, cluster); err != nil {
		return nil, err
	}
	target.Describe(p.out, o.registry)
	if err := current.Confirm(os.Stdin, p.out, term.IsTerminal(int(os.Stdin.Fd())), o.yes); err != nil {
		return nil, err
	}
	return cluster, current.MarkNamespaces(ctx, cluster.Client)
}

// checkBeforeInstall runs the checks of the command line.
func checkBeforeInstall(ctx context.Context, p *progress, cluster *lab.Cluster) error {
	cmd := exec.CommandContext(ctx, cluster.Repository.Path("bin", "osm"), "check", "--pre-install")
	cmd.Dir = cluster.Repository.Path()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig)
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Run(); err != nil {
		return errors.New("the demo is not installed, because a check above has failed: follow its remedy")
	}
	return nil
}

// removeFromCurrent removes what the demo has created in the current cluster, and prints what it keeps.
func removeFromCurrent(ctx context.Context, p *progress) error {
	cluster, err := lab.Connect(ctx)
	if err != nil {
		return err
	}
	removal, err := current.FindRemoval(ctx, cluster.Client)
	if err != nil {
		return err
	}
	for _, kept := range removal.Kept {
		p.printf("kept: %s", kept)
	}
	for _, part := range []struct {
		exists  bool
		what    string
		objects []string
	}{
		{len(removal.Namespaces) > 0, "the bookstore (usually 40 s)", append([]string{"namespace"}, removal.Namespaces...)},
		{removal.Mesh, "the mesh (usually 20 s)", []string{"mesh", names.DefaultMesh}},
		{removal.MeshNamespace, "the namespace of the mesh (usually 10 s)", []string{"namespace", names.DefaultNamespace}},
	} {
		if !part.exists {
			continue
		}
		p.printf("deleting %s", part.what)
		if _, err := cluster.Kubectl(ctx, append([]string{"delete", "--ignore-not-found"}, part.objects...)...); err != nil {
			return err
		}
	}
	if !removal.Operator {
		return nil
	}
	p.printf("deleting the operator and its CustomResourceDefinitions (usually 20 s)")
	return cluster.UninstallOperator(ctx)
}

// policyView explains which policies allow a call, with the code that configures the sidecars.
type policyView struct {
	view *catalog.View
}

// readPolicies reads the current policies of the cluster.
func readPolicies(ctx context.Context, cluster *lab.Cluster) (*policyView, error) {
	loaded, err := clusterload.Load(ctx, cluster.Client, names.DefaultMesh, names.DefaultNamespace)
	if err != nil {
		return nil, err
	}
	return &policyView{view: loaded.Catalog.View()}, nil
}

// reason names the policies that allow source ("<namespace>/<service account>") to reach any of the destinations.
func (p *policyView) reason(source string, destinations ...string) string {
	if p.view.Settings().Permissive {
		return "permissive mode"
	}
	from := account(source)
	granting := map[string]bool{}
	var found []string
	for _, destination := range destinations {
		to := account(destination)
		for _, name := range p.view.ServicesOf(to) {
			service := p.view.Service(name)
			for _, port := range service.Ports {
				for _, policy := range authz.GrantingTargets(p.view, from, to, p.view.TargetPort(service, port), port.Protocol) {
					if !granting[policy] {
						granting[policy] = true
						found = append(found, "TrafficTarget "+policy)
					}
				}
			}
		}
	}
	if len(found) == 0 {
		return "no TrafficTarget has the source ServiceAccount " + source + ""
	}
	slices.Sort(found)
	return strings.Join(found, ", ")
}

func account(text string) identity.ServiceAccount {
	namespace, name, _ := strings.Cut(text, "/")
	return identity.ServiceAccount{Namespace: namespace, Name: name}
}
