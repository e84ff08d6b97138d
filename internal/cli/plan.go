package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/expect"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/peeroffers"
	"github.com/openservicemesh/osm-operator/internal/cli/plan"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/operator/clusterload"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/version"
)

// planOptions are the flags of the plan command.
type planOptions struct {
	mesh                   string
	files, deleted, before []string
	offline                bool
	form                   output.Flag
}

func (a *app) planCommand() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan -f FILE_OR_DIRECTORY",
		Short: "Show which sidecars and flows would change if files were applied",
		Long: `Compare a mesh with the same mesh after "kubectl apply -f", without changing anything. The output lists the sidecars that would
get a new configuration, by workload. Each has the number of resources per type (CDS, EDS, LDS, RDS, SDS, ECDS) and the size in
bytes. It also lists the flows that would be newly denied or allowed: the source, the Service and port, the requests, and the
policy and rule. Flows of clients outside the mesh (IngressBackend, Gateway) and to destinations outside the mesh (Egress) are
included, and the hosts to which sidecars would begin or cease to encrypt requests (BackendTLSPolicy). The result is computed by
the same code that configures the sidecars.

Files are merged into the objects in the cluster, as with kubectl apply. --delete names files with objects that would be deleted.
--against compares two sets of files, each as a complete mesh, without a cluster.

Requests are compared by examples for each match on both sides. If two regular expressions overlap, requests without an example
may differ. Decisions of authorization servers are not known. What peers offer is read from the control plane, and nothing is read
from peers. Effects that the plan cannot compute, such as pods replaced by a changed workload, are listed at the end.

The exit code is 0 if nothing would change for any sidecar or flow, and 2 if something would change. It is 1 on errors, or if the
mesh would reject an object.`,
		Example: `  osm plan -f policies/
  osm plan -f new.yaml --delete old.yaml -o json
  kustomize build | osm plan -f -

  # Compare a branch with main, without a cluster.
  osm plan -f branch/ --against main/`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.plan(ctx, &o) }),
	}
	f := cmd.Flags()
	a.addMeshAndOutput(cmd, &o.mesh, &o.form)
	f.StringSliceVarP(&o.files, "filename", "f", nil, "files or directories to apply, separated by commas; - reads standard input")
	f.StringSliceVar(&o.deleted, "delete", nil, "files or directories with objects to delete")
	f.StringSliceVar(&o.before, "against", nil, "files or directories with the mesh to compare with, instead of a cluster")
	f.BoolVar(&o.offline, "offline", false, "do not connect to a cluster; requires --against")
	return cmd
}

func (a *app) plan(ctx context.Context, o *planOptions) error {
	switch {
	case len(o.files) == 0 && len(o.deleted) == 0:
		return errors.New("missing files: usage: `osm plan -f FILE_OR_DIRECTORY`")
	case o.offline && len(o.before) == 0:
		return errors.New("--offline requires --against")
	case len(o.before) > 0 && len(o.deleted) > 0:
		return errors.New("--delete cannot be combined with --against: remove the objects from the files of -f instead")
	}
	toApply, err := a.objectsOf(o.files)
	if err != nil {
		return err
	}
	var p *plan.Plan
	if len(o.before) > 0 {
		p, err = a.planFiles(o, toApply)
	} else {
		p, err = a.planCluster(ctx, o, toApply)
	}
	if err != nil {
		return err
	}
	text := func(w io.Writer) error { return p.Print(w, &o.form) }
	err = o.form.Print(a.Out, output.Result{Data: p, Names: p.Names(), Text: text})
	err = exitIf(p.Rejected(), exitFailed, err)
	return exitIf(!p.Empty(), exitNo, err)
}

// objectsOf reads objects from files and standard input. It drops the expectations of `osm policy test`.
func (a *app) objectsOf(paths []string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, path := range paths {
		var objects []*unstructured.Unstructured
		var err error
		if path == "-" {
			objects, err = a.standardInput()
		} else {
			objects, err = readAll(path)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	_, rest, err := expect.Take(all)
	return rest, err
}

func (a *app) standardInput() ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	text, err := io.ReadAll(a.In)
	if err == nil {
		objects, err = manifests.Decode(text)
	}
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return objects, nil
}

func readAll(paths ...string) ([]*unstructured.Unstructured, error) {
	files, err := manifests.Files(paths...)
	if err != nil {
		return nil, err
	}
	return manifests.Read(files)
}

// planFiles compares two meshes in files.
func (a *app) planFiles(o *planOptions, toApply []*unstructured.Unstructured) (*plan.Plan, error) {
	written, err := a.objectsOf(o.before)
	if err != nil {
		return nil, err
	}
	before, err := manifests.Complete(o.mesh, written)
	if err != nil {
		return nil, err
	}
	after, err := manifests.Complete(before.Mesh, toApply)
	if err != nil {
		return nil, err
	}
	subject := plan.Subject{
		Mesh: before.Mesh, Namespace: names.DefaultNamespace, TrustDomain: names.DefaultTrustDomain,
		Scheme: before.Scheme, Objects: before.Objects,
		Offers: func(peers []*catalog.Peer) peeroffers.Offers { return peeroffers.Unreadable(peers, offersInFiles) },
	}
	edit, err := subject.Between(after.Objects, append(written, toApply...))
	if err != nil {
		return nil, err
	}
	return plan.Make(subject, edit)
}

// planCluster compares the cluster with the result of applying files to it.
func (a *app) planCluster(ctx context.Context, o *planOptions, toApply []*unstructured.Unstructured) (*plan.Plan, error) {
	removed, err := a.objectsOf(o.deleted)
	if err != nil {
		return nil, err
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return nil, err
	}
	c, m, err := a.open(ctx, o.mesh)
	if err != nil {
		return nil, err
	}
	if m.Version != "" && m.Version != version.Version {
		a.note("Warning: mesh %s runs version %s, this program is version %s: the actual configuration may differ from the plan.", m.Name, m.Version, version.Version)
	}
	objects, err := clusterload.Objects(ctx, c, m.Name, m.Namespace)
	if err != nil {
		return nil, err
	}
	subject := plan.Subject{Mesh: m.Name, Namespace: m.Namespace, TrustDomain: a.trustDomain(ctx, c, m), Scheme: c.Scheme(), Objects: objects}
	subject.Offers = func(peers []*catalog.Peer) peeroffers.Offers { return a.peerOffers(ctx, c, m, peers) }
	if root, err := roots(ctx, c, m); err == nil {
		subject.Root = root // without it, only the byte counts are too low
	}
	edit, err := subject.Overlay(plan.Request{Apply: toApply, Delete: removed, Namespace: namespace, Now: a.now()})
	if err != nil {
		return nil, err
	}
	return plan.Make(subject, edit)
}
