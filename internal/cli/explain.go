package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/load"
	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
)

func (a *app) explainCommand() *cobra.Command {
	var meshName string
	var headers, files []string
	var remedyOnly bool
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "explain A to B [METHOD PATH]",
		Short: "Explain who may call whom, why, and what would allow it",
		Long: `Explains whether A may call B: what the application sees, by which policy, and when it is denied, which piece is missing and
the exact YAML that would allow it. The answer comes from the code that configures the sidecars.

A and B are pods, workloads, service accounts or Services, written NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME, B with a
port if you like: shop/web:8080. The DNS name of a Service works too. Without METHOD and PATH, the question is whether A may send
B anything at all. Instead of "to" you may write an arrow, in quotes because of the shell: 'A -> B'.

The exit code is 0 when it is allowed and 2 when it is not.`,
		Example: `  osm explain bookthief/bookthief to bookstore/bookstore GET /buy-a-book/new
  osm explain bookbuyer/sa/bookbuyer to bookstore/svc/bookstore:14001 GET /books-bought -H 'client-app: bookbuyer'
  osm explain 'shop/deploy/till -> db/sts/mysql'

  # Grant what is denied.
  osm explain shop/till to shop/web GET /prices --remedy | kubectl apply -f -

  # Ask files instead of a cluster.
  osm explain shop/till to shop/web -f manifests/`,
		Args: atLeast(1, "who calls whom"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if err := form.Check(); err != nil {
				return err
			}
			namespace, err := a.kube.Namespace()
			if err != nil {
				return err
			}
			question, err := explain.ParseQuestion(args, headers, namespace)
			if err != nil {
				return err
			}
			return a.explain(ctx, question, meshName, files, remedyOnly, &form)
		}),
	}
	cmd.ValidArgsFunction = a.completeParties
	f := cmd.Flags()
	a.addMeshName(cmd, &meshName, "")
	f.StringArrayVarP(&headers, "header", "H", nil, "header of the request, \"name: value\"; may be repeated")
	f.StringSliceVarP(&files, "filename", "f", nil, "ask the mesh that these files or folders describe, separated by commas, and no cluster")
	f.BoolVar(&remedyOnly, "remedy", false, "print nothing but the YAML that would allow it")
	form.AddTo(f)
	return cmd
}

func (a *app) explain(ctx context.Context, q explain.Question, meshName string, files []string, remedyOnly bool, form *output.Flag) error {
	answer, err := a.answer(ctx, q, meshName, files, !remedyOnly)
	if err != nil {
		return err
	}
	switch {
	case remedyOnly && len(answer.Remedy) == 0 && !answer.Allowed:
		return errors.New("no policy would allow it: run the command without --remedy to see what is missing")
	case remedyOnly:
		return answer.PrintRemedy(a.Out)
	case form.ForPeople():
		err = answer.Print(a.Out)
	default:
		err = form.Print(a.Out, output.Result{Data: answer, Names: policyNames(answer)})
	}
	if err == nil && !answer.Allowed {
		return silent{exitNo}
	}
	return err
}

func policyNames(answer *explain.Answer) []string {
	var all []string
	for _, p := range answer.Policies {
		all = append(all, "traffictarget.access.smi-spec.io/"+p)
	}
	return all
}

// answer asks the mesh of files, or that of the cluster; with live, also how far the cluster's sidecars are.
func (a *app) answer(ctx context.Context, q explain.Question, meshName string, files []string, live bool) (*explain.Answer, error) {
	if len(files) > 0 {
		m, err := fromFiles(meshName, files)
		if err != nil {
			return nil, err
		}
		return explain.Ask(ctx, m, q)
	}
	c, found, err := a.open(ctx, meshName, nil)
	if err != nil {
		return nil, err
	}
	m, err := a.fromCluster(ctx, c, found)
	if err != nil {
		return nil, err
	}
	answer, err := explain.Ask(ctx, m, q)
	if err == nil && live {
		answer.Live = a.live(ctx, c, found, answer)
	}
	return answer, err
}

// fromCluster makes a mesh of what the cluster holds.
func (a *app) fromCluster(ctx context.Context, c client.Client, found mesh) (explain.Mesh, error) {
	a.progress().say("reading the mesh %s", found.Name)
	loaded, err := load.FromCluster(ctx, c, found.Name, found.Namespace)
	if err != nil {
		return explain.Mesh{}, err
	}
	m := meshOf(found.Name, loaded)
	m.Account = func(ctx context.Context, kind, namespace, name string) (string, bool, error) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(manifests.WorkloadKinds[kind])
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
		if apierrors.IsNotFound(err) {
			return "", false, nil
		}
		return manifests.AccountOf(object), err == nil, err
	}
	return m, nil
}

func meshOf(name string, loaded *load.Loaded) explain.Mesh {
	return explain.Mesh{Name: name, Catalog: loaded.Catalog, Taken: func(ref catalog.Ref) bool {
		_, taken := loaded.Names[ref]
		return taken
	}}
}

// fromFiles makes a mesh of manifests.
func fromFiles(meshName string, paths []string) (explain.Mesh, error) {
	files, err := manifests.Files(paths...)
	if err != nil {
		return explain.Mesh{}, err
	}
	objects, err := manifests.Read(files)
	if err != nil {
		return explain.Mesh{}, err
	}
	return meshOfObjects(meshName, objects)
}

func meshOfObjects(meshName string, objects []*unstructured.Unstructured) (explain.Mesh, error) {
	complete, err := manifests.Complete(meshName, objects)
	if err != nil {
		return explain.Mesh{}, err
	}
	loaded, err := load.FromObjects(complete.Mesh, complete.Scheme, complete.Objects)
	if err != nil {
		return explain.Mesh{}, fmt.Errorf("the manifests cannot be read: %w", err)
	}
	m := meshOf(complete.Mesh, loaded)
	m.Account = func(_ context.Context, kind, namespace, name string) (string, bool, error) {
		for _, object := range objects {
			if same(object.GroupVersionKind(), manifests.WorkloadKinds[kind]) && object.GetNamespace() == namespace && object.GetName() == name {
				return manifests.AccountOf(object), true, nil
			}
		}
		return "", false, nil
	}
	return m, nil
}

func same(a, b schema.GroupVersionKind) bool { return a.GroupKind() == b.GroupKind() }
