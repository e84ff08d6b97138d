package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/cli/expect"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/cli/plan"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/version"
)

// planOptions are the flags of plan.
type planOptions struct {
	mesh                   string
	files, deleted, before []string
	offline                bool
	form                   output.Flag
}

func (a *app) planCommand() *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan -f FILE_OR_FOLDER",
		Short: "Show what files would change: which sidecars, and which flows are newly denied or allowed",
		Long: `Compares a mesh as it is with the mesh after "kubectl apply -f", and writes nothing. It says which sidecars would be told
something, by workload: how many resources of which type (CDS, EDS, LDS, RDS, SDS, ECDS) and how many bytes; and which flows would
be newly denied or newly allowed, by whom to which port of which Service, which requests, and by which policy and rule. The answer
comes from the code that configures the sidecars.

Files are merged into the objects of the cluster as kubectl does. Objects in files of --delete would be gone. With --against, two
sets of files are compared, each as a mesh of its own, and no cluster is asked.

Requests are compared by examples of each match on both sides. Two expressions that overlap may differ in requests that no example
shows. What is not computed, such as pods that a changed workload would replace, is listed.

The exit code is 0 when nothing would change for any sidecar or flow, 2 when something would, and 1 after an error or when the
mesh would refuse an object.`,
		Example: `  osm plan -f policies/
  osm plan -f new.yaml --delete old.yaml -o json
  kustomize build | osm plan -f -

  # What a branch changes, without a cluster.
  osm plan -f branch/ --against main/`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.plan(ctx, &o) }),
	}
	f := cmd.Flags()
	a.addMeshName(cmd, &o.mesh, "")
	f.StringSliceVarP(&o.files, "filename", "f", nil, "files or folders that would be applied, separated by commas; - is the standard input")
	f.StringSliceVar(&o.deleted, "delete", nil, "files or folders with objects that would be deleted")
	f.StringSliceVar(&o.before, "against", nil, "compare with the mesh that these files or folders describe, and ask no cluster")
	f.BoolVar(&o.offline, "offline", false, "ask no cluster; needs --against")
	o.form.AddTo(f)
	return cmd
}

func (a *app) plan(ctx context.Context, o *planOptions) error {
	switch {
	case len(o.files) == 0 && len(o.deleted) == 0:
		return errors.New("no file is named: write `osm plan -f FILE_OR_FOLDER`")
	case o.offline && len(o.before) == 0:
		return errors.New("--offline needs something to compare with: name files or folders with --against")
	case len(o.before) > 0 && len(o.deleted) > 0:
		return errors.New("--delete is about objects of a cluster: with --against, leave the objects out of the files of -f")
	}
	if err := o.form.Check(); err != nil {
		return err
	}
	wanted, err := a.objectsOf(o.files)
	if err != nil {
		return err
	}
	var p *plan.Plan
	if len(o.before) > 0 {
		p, err = a.planFiles(o, wanted)
	} else {
		p, err = a.planCluster(ctx, o, wanted)
	}
	if err != nil {
		return err
	}
	if o.form.ForPeople() {
		err = p.Print(a.Out, &o.form)
	} else {
		err = o.form.Print(a.Out, output.Result{Data: p, Names: p.Names()})
	}
	switch {
	case err != nil:
		return err
	case p.Refused():
		return silent{exitFailed}
	case !p.Empty():
		return silent{exitNo}
	}
	return nil
}

// objectsOf reads the objects of files and of the standard input. Expectations of `osm policy test` are left out.
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
	text, err := io.ReadAll(a.In)
	if err != nil {
		return nil, fmt.Errorf("the standard input cannot be read: %w", err)
	}
	objects, err := manifests.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("the standard input cannot be read: %w", err)
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

// planFiles compares two meshes of files.
func (a *app) planFiles(o *planOptions, wanted []*unstructured.Unstructured) (*plan.Plan, error) {
	written, err := a.objectsOf(o.before)
	if err != nil {
		return nil, err
	}
	before, err := manifests.Complete(o.mesh, written)
	if err != nil {
		return nil, err
	}
	after, err := manifests.Complete(before.Mesh, wanted)
	if err != nil {
		return nil, err
	}
	subject := plan.Subject{
		Mesh: before.Mesh, Namespace: names.DefaultNamespace, TrustDomain: names.DefaultTrustDomain,
		Scheme: before.Scheme, Objects: before.Objects,
	}
	edit, err := subject.Between(after.Objects, append(written, wanted...))
	if err != nil {
		return nil, err
	}
	return plan.Make(subject, edit)
}

// planCluster compares a cluster with what files would make of it.
func (a *app) planCluster(ctx context.Context, o *planOptions, wanted []*unstructured.Unstructured) (*plan.Plan, error) {
	removed, err := a.objectsOf(o.deleted)
	if err != nil {
		return nil, err
	}
	namespace, err := a.kube.Namespace()
	if err != nil {
		return nil, err
	}
	c, err := a.kube.Client()
	if err != nil {
		return nil, err
	}
	m, err := a.oneMesh(ctx, c, o.mesh)
	if err != nil {
		return nil, err
	}
	if m.Version != "" && m.Version != version.Version {
		a.note("The mesh %s runs version %s, and this program is %s: the plan is computed by this program's translator, and the mesh's may differ.", m.Name, m.Version, version.Version)
	}
	objects, err := load.Objects(ctx, c, m.Name, m.Namespace)
	if err != nil {
		return nil, err
	}
	subject := plan.Subject{Mesh: m.Name, Namespace: m.Namespace, TrustDomain: a.trustDomain(ctx, c, m), Scheme: c.Scheme(), Objects: objects}
	if root, err := roots(ctx, c, m); err == nil {
		subject.Root = root // without it, the plan only counts fewer bytes
	}
	edit, err := subject.Overlay(plan.Request{Apply: wanted, Delete: removed, Namespace: namespace, Now: a.now()})
	if err != nil {
		return nil, err
	}
	return plan.Make(subject, edit)
}
